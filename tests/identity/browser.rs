//! The pages in a real browser, driven over WebDriver: what a person sees at a desk and on a telephone, and clicks.

use super::*;

/// A browser, and the driver that it is told through.
struct Browser {
    at: String,
    session: String,
    _driver: Driver,
}

struct Driver(std::process::Child);

/// One command (WebDriver, section 6.3), and its value; without a body, a question.
fn ask(at: &str, path: &str, body: Option<&Value>) -> Value {
    let mut curl = std::process::Command::new("curl");
    curl.args(["-sS", "-m", "60", "--noproxy", "*", &format!("http://{at}{path}")]);
    if let Some(body) = body {
        curl.args(["-d", &body.to_string()]);
    }
    let ran = Ran::from(curl.output().unwrap()).expect(0);
    let mut answer = ran.json();
    answer["value"].take()
}

impl Drop for Driver {
    fn drop(&mut self) {
        // In its own process group, since the browser is a family of processes that outlives its driver.
        let group = format!("-{}", self.0.id());
        let _ = std::process::Command::new("kill").args(["-9", "--", &group]).status();
        let _ = self.0.wait();
    }
}

impl Browser {
    fn open(world: &World) -> Self {
        use std::os::unix::process::CommandExt as _;
        let mut driver = world.command("chromedriver");
        driver.arg("--port=0").process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut driver = Driver(driver.spawn().unwrap());
        let mut said = BufReader::new(driver.0.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = said.find_map(|line| line.split("successfully on port ").nth(1).map(str::to_owned)).unwrap();
        let at = format!("127.0.0.1:{}", port.trim_end_matches('.'));
        let options = json!({"args": ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
            "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
            format!("--user-data-dir={}", world.path("browser").display())]});
        let wanted = json!({"capabilities": {"alwaysMatch": {"browserName": "chrome", "goog:chromeOptions": options}}});
        let made = ask(&at, "/session", Some(&wanted));
        let session = made["sessionId"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
        Self { at, session, _driver: driver }
    }

    #[track_caller]
    fn tell(&self, path: &str, body: &Value) -> Value {
        let answer = ask(&self.at, &format!("/session/{}/{path}", self.session), Some(body));
        assert!(answer["error"].is_null(), "{path} {body}: {answer}");
        answer
    }

    fn visit(&self, url: &str) {
        self.tell("url", &json!({ "url": url }));
    }

    /// What a person can read.
    fn text(&self) -> String {
        self.run("return document.body.innerText").as_str().unwrap().to_owned()
    }

    fn run(&self, script: &str) -> Value {
        self.tell("execute/sync", &json!({"script": script, "args": []}))
    }

    #[track_caller]
    fn find(&self, xpath: &str) -> String {
        let found = self.tell("element", &json!({"using": "xpath", "value": xpath}));
        found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn click(&self, xpath: &str) {
        let element = self.find(xpath);
        self.tell(&format!("element/{element}/click"), &json!({}));
    }

    fn write(&self, xpath: &str, text: &str) {
        let element = self.find(xpath);
        self.tell(&format!("element/{element}/value"), &json!({ "text": text }));
    }

    /// Gives the window this size, and looks whether all of the page fits into its width.
    #[track_caller]
    fn fits(&self, width: u32, height: u32) {
        // The window of a headless browser is at least 500 wide; a telephone is emulated.
        let metrics = json!({"cmd": "Emulation.setDeviceMetricsOverride",
            "params": {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}});
        self.tell("goog/cdp/execute", &metrics);
        let sizes = self.run("const d = document.documentElement; return [d.scrollWidth, d.clientWidth]");
        assert_eq!(sizes[0], sizes[1], "at {width} the page is wider than its window");
        if let Ok(folder) = std::env::var("RAMPART_TEST_PICTURES") {
            self.picture(Path::new(&folder), width);
        }
    }

    /// Keeps a picture for people who want to look.
    fn picture(&self, folder: &Path, width: u32) {
        use base64::Engine as _;
        let shot = ask(&self.at, &format!("/session/{}/screenshot", self.session), None);
        let image = base64::engine::general_purpose::STANDARD.decode(shot.as_str().unwrap()).unwrap();
        let title = self.run("return document.title").as_str().unwrap().replace(' ', "-");
        std::fs::write(folder.join(format!("{title}-{width}.png")), image).unwrap();
    }
}

const SIZES: [(u32, u32); 2] = [(1280, 800), (360, 740)];

#[test]
fn a_person_logs_in_sees_what_waits_answers_and_logs_out() {
    let test = "a_person_logs_in_sees_what_waits_answers_and_logs_out";
    if !have(test, &["chromium", "chromedriver", "curl"]) {
        return;
    }
    let world = served();
    let body =
        json!({"agent": "bot", "session": "s", "params": {"path": format!("/deploy/{}/<b>end</b>", "x".repeat(300))}});
    let decide = token(&world, &["--scope", "decide"]);
    let asks = || {
        let mut curl = world.command("curl");
        curl.args([
            "-s",
            "--noproxy",
            "*",
            &format!("http://{}/v1/tool/read", address(&world)),
            "-d",
            &body.to_string(),
        ]);
        curl.args(["-H", &format!("Authorization: Bearer {decide}")]).stdout(Stdio::piped()).spawn().unwrap()
    };
    let waits = |count: usize| {
        let deadline = Instant::now() + Duration::from_secs(10);
        while world.status()["pending"] != count {
            assert!(Instant::now() < deadline, "no {count} wait: {}", world.gateway_log());
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let waiting = asks();
    waits(1);
    let mut again = asks();
    waits(2);
    let browser = Browser::open(&world);
    let link = world.run(&["dashboard", "--json"]).expect(0).json()["url"].as_str().unwrap().to_owned();
    browser.visit(&link);
    assert!(!browser.run("return location.href").as_str().unwrap().contains("login"), "no secret stays in its address");
    // The pages without scripts; tests/dashboard.rs looks at the others.
    browser.visit(&format!("http://{}/dashboard/approvals", address(&world)));
    let text = browser.text();
    assert!(text.contains("What waits for an answer") && text.contains("<b>end</b>") && text.contains("bot"), "{text}");
    assert!(text.contains("and 1 more of the same"), "{text}");
    for (width, height) in SIZES {
        browser.fits(width, height);
    }
    again.kill().unwrap();
    again.wait().unwrap();
    waits(1);
    browser.click("//dt/a");
    let text = browser.text();
    assert!(text.contains("may this happen?") && text.contains("A human decides that"), "{text}");
    for (width, height) in SIZES {
        browser.fits(width, height);
    }
    browser.write("//input[@name='reason']", "looks fine");
    browser.click("//button[@value='approve']");
    assert!(browser.text().contains("It was let through"), "{}", browser.text());
    let answer: Value = serde_json::from_slice(&waiting.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(answer["allowed"], true, "{answer}");
    let granted = world.records().into_iter().find(|record| record["event"] == "granted").unwrap();
    assert_eq!((granted["from"].as_str(), granted["message"].as_str()), (Some("dashboard"), Some("looks fine")));
    browser.click("//a[@href='/dashboard/approvals']");
    assert!(browser.text().contains("Nothing waits."), "{}", browser.text());
    browser.click("//button[text()='Log out']");
    assert!(browser.text().contains("You are logged out"), "{}", browser.text());
    browser.visit(&format!("http://{}/dashboard/", address(&world)));
    assert!(!browser.text().contains("What waits"), "{}", browser.text());
}
