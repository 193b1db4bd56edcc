//! `rampart watch` on a real terminal: tmux shows what a person would see and types what they would.

use std::{
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;

use crate::world::{Ran, World, bin, have};

const PATIENCE: Duration = Duration::from_secs(20);

/// The question is held here, also where the agent has a prompt of its own.
const POLICY: &str = r#"
version: "1"
default_action: allow
policies:
  - name: deploys
    match: { tool: exec }
    rules:
      - action: ask
        ask: { audit: true }
        when: { command_matches: ["kubectl *"] }
        message: A deployment needs a human
  - name: no-destruction
    rules:
      - action: deny
        when: { effect: delete }
        message: Nothing is deleted here
"#;

/// A terminal of so many columns and lines in which `rampart watch` runs.
struct Screen<'w> {
    world: &'w World,
    raw: std::path::PathBuf,
}

impl<'w> Screen<'w> {
    fn open(world: &'w World, columns: u16, lines: u16, args: &str, env: &str) -> Self {
        let screen = Self { world, raw: world.path("raw") };
        let (columns, lines) = (columns.to_string(), lines.to_string());
        // The shell stays, so that what `watch` leaves behind can be seen.
        let command =
            format!("sleep 0.3; env {env} {} watch {args}; echo ended with $?; sleep 1000", bin("rampart").display());
        screen.tmux(&["-f", "/dev/null", "new-session", "-d", "-s", "w", "-x", &columns, "-y", &lines, &command]);
        screen.tmux(&["pipe-pane", "-t", "w", &format!("cat >{}", screen.raw.display())]);
        screen
    }

    fn tmux(&self, args: &[&str]) -> String {
        let mut tmux = self.world.command("tmux");
        tmux.env("LC_ALL", "C.UTF-8").arg("-u").arg("-S").arg(self.world.path("tmux")).args(args);
        Ran::from(tmux.stdin(Stdio::null()).output().unwrap()).expect(0).stdout
    }

    /// What is on it.
    fn shown(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-t", "w"])
    }

    /// What is on it once this is there.
    #[track_caller]
    fn shows(&self, text: &str) -> String {
        self.becomes(&format!("{text:?} is shown"), |shown| shown.contains(text))
    }

    #[track_caller]
    fn becomes(&self, what: &str, so: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let shown = self.shown();
            if so(&shown) {
                return shown;
            }
            assert!(Instant::now() < deadline, "not so: {what}\n{shown}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn types(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys", "-t", "w"], keys].concat());
    }

    /// Every byte that went to the terminal.
    fn raw(&self) -> Vec<u8> {
        std::fs::read(&self.raw).unwrap()
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        let mut tmux = self.world.command("tmux");
        let _ = tmux.arg("-S").arg(self.world.path("tmux")).arg("kill-server").output();
    }
}

/// An agent's hook before this command.
fn hook(world: &World, command: &str) -> Child {
    let mut hook = world.rampart(&["hook", "--format", "claude-code"]);
    hook.env("RAMPART_AUTOSTART", "0").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = hook.spawn().unwrap();
    let call = json!({"session_id": "sess-1", "cwd": world.project(), "hook_event_name": "PreToolUse", "tool_name": "Bash",
        "tool_input": {"command": command}});
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), call.to_string().as_bytes()).unwrap();
    child
}

fn ended(child: Child) -> Ran {
    Ran::from(child.wait_with_output().unwrap())
}

#[test]
fn hooks_that_wait_are_answered_from_watch() {
    if !have("hooks_that_wait_are_answered_from_watch", &["tmux"]) {
        return;
    }
    let mut world = World::with_policy(POLICY);
    world.serve(&[]);
    let screen = Screen::open(&world, 80, 24, "", "TERM=xterm-256color");
    screen.shows("1 Live");
    ended(hook(&world, "rm -rf build")).expect(2);
    let shown = screen.shows("rm -rf build");
    let row = shown.lines().find(|line| line.contains("rm -rf build")).unwrap();
    for text in ["deny", "claude", "hook", "delete", "no-d"] {
        assert!(row.contains(text), "{text} is not in {row}");
    }
    let mut held = hook(&world, "kubectl apply -f prod.yaml");
    screen.shows("waits for you (press 2): kubectl apply -f prod.yaml");
    screen.types(&["2"]);
    let shown = screen.shows("This waits to happen");
    for text in ["│ kubectl apply -f prod.yaml", "A deployment needs a human", "remote-mutate", "deploys (custom.yaml:"]
    {
        assert!(shown.contains(text), "{text} is not in {shown}");
    }
    // It came into sight by itself, and is answered once there was time to see it.
    std::thread::sleep(Duration::from_secs(1));
    assert!(held.try_wait().unwrap().is_none(), "the hook waits");
    screen.types(&["a"]);
    screen.shows("approved: kubectl apply -f prod.yaml");
    let released = ended(held).expect(0);
    assert!(!released.stdout.contains("deny") && !released.stdout.contains("ask"), "{released:?}");

    let held = hook(&world, "kubectl delete ns prod");
    screen.shows("│ kubectl delete ns prod");
    std::thread::sleep(Duration::from_secs(1));
    screen.types(&["d"]);
    screen.types(&["-l", "not on a Friday"]);
    screen.shows("Deny, because: not on a Friday");
    screen.types(&["Enter"]);
    screen.shows("denied: kubectl delete ns prod");
    let refused = ended(held).expect(2);
    assert!(refused.stdout.contains("not on a Friday"), "{refused:?}");
    screen.shows("Nothing waits");

    let held = hook(&world, "kubectl get pods");
    screen.shows("│ kubectl get pods");
    std::thread::sleep(Duration::from_secs(1));
    screen.types(&["A"]);
    screen.shows("approved: kubectl get pods");
    ended(held).expect(0);
    ended(hook(&world, "kubectl get pods")).expect(0);
    assert!(world.run(&["rules"]).expect(0).stdout.contains("kubectl get pods"));
    let answers: Vec<_> =
        world.records().into_iter().filter(|r| r["type"] == "approval" && r["event"] != "asked").collect();
    let told: Vec<_> =
        answers.iter().map(|r| (r["event"].as_str().unwrap(), r["scope"].as_str().unwrap_or_default())).collect();
    assert_eq!(told, [("granted", "once"), ("denied", ""), ("granted", "always")]);
    assert_eq!(answers[1]["message"], "not on a Friday");
    screen.types(&["q"]);
    screen.shows("ended with 0");
}

#[test]
fn nothing_is_lost_over_a_gateway_that_is_killed() {
    if !have("nothing_is_lost_over_a_gateway_that_is_killed", &["tmux"]) {
        return;
    }
    let mut world = World::with_policy(POLICY);
    world.serve(&[]);
    let screen = Screen::open(&world, 200, 50, "--tool exec", "TERM=xterm-256color");
    let seen = |from: u32, to: u32| (from..to).map(|n| format!("echo number-{n} ")).collect::<Vec<_>>();
    let run =
        |from: u32, to: u32| (from..to).for_each(|n| drop(ended(hook(&world, &format!("echo number-{n}"))).expect(0)));
    screen.shows("tool exec");
    run(0, 10);
    screen.shows("echo number-9 ");
    let pid = std::fs::read_to_string(world.home().join("run/gateway.pid")).unwrap();
    assert!(world.command("kill").args(["-9", pid.trim()]).status().unwrap().success());
    screen.shows("trying again");
    let mut serve = world.rampart(&["serve", "--background"]);
    Ran::from(serve.stdin(Stdio::null()).output().unwrap()).expect(0);
    run(10, 20);
    let shown = screen.shows("echo number-19 ");
    for number in seen(0, 20) {
        assert_eq!(shown.matches(&number).count(), 1, "{number} in {shown}");
    }
    assert!(!shown.contains("did not come") && !shown.contains("trying again"), "{shown}");
    // It fits whatever the terminal becomes.
    screen.tmux(&["resize-window", "-t", "w", "-x", "80", "-y", "24"]);
    screen.becomes("the head fits", |shown| {
        shown.lines().next().is_some_and(|head| head.chars().count() <= 80 && head.ends_with("/s"))
    });
    screen.shows("echo number-19 ");
    screen.types(&["c"]);
    screen.types(&["/"]);
    screen.types(&["-l", "NUMBER-7"]);
    let shown = screen.becomes("one is left", |shown| shown.matches("echo number-").count() == 1);
    assert!(shown.contains("echo number-7"), "{shown}");
}

#[test]
fn hostile_text_reaches_no_terminal_and_the_terminal_is_given_back() {
    if !have("hostile_text_reaches_no_terminal_and_the_terminal_is_given_back", &["tmux"]) {
        return;
    }
    let mut world = World::with_policy(POLICY);
    world.serve(&[]);
    let screen = Screen::open(&world, 120, 30, "", "TERM=xterm-256color NO_COLOR=1");
    screen.shows("1 Live");
    ended(hook(
        &world,
        "echo \u{1b}]0;owned\u{7}\u{1b}[2J\u{202e}\u{2066}\u{200b}\u{9b}2J && rm -rf '日本語 e\u{301}\u{301}\u{301}'",
    ))
    .expect(2);
    screen.shows("no-destruction");
    screen.types(&["Enter"]);
    let shown = screen.shows("What it would do");
    assert!(
        shown.contains(r"echo \u{1b}]0;owned\u{7}\u{1b}[2J\u{202e}\u{2066}\u{200b}\u{9b}2J && rm -rf '日本語"),
        "{shown}"
    );
    screen.types(&["?"]);
    screen.shows("Keys in Live");
    screen.types(&["x", "3"]);
    screen.shows("Stopped most");
    let pids = Ran::from(world.command("pgrep").args(["-f", "rampart watch"]).output().unwrap()).stdout;
    let mut here = pids.lines().filter(|pid| {
        let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        let home = world.home().into_os_string().into_encoded_bytes();
        environ.windows(home.len()).any(|window| window == home)
            && std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == bin("rampart"))
    });
    let pid = here.next_back().expect("it runs").to_owned();
    assert!(world.command("kill").arg(&pid).status().unwrap().success());
    screen.shows("ended with 0");
    assert_eq!(screen.tmux(&["display-message", "-p", "-t", "w", "#{alternate_on}#{cursor_flag}"]).trim(), "01");
    let raw = screen.raw();
    let has = |bytes: &[u8]| raw.windows(bytes.len()).any(|window| window == bytes);
    for hostile in
        ["\u{1b}]0;", "\u{1b}[2J\u{202e}", "\u{202e}", "\u{2066}", "\u{200b}", "\u{9b}", "\u{301}\u{301}\u{301}"]
    {
        assert!(!has(hostile.as_bytes()), "{hostile:?} went to the terminal");
    }
    for color in
        (30..=37).chain(90..=97).map(|n| format!("\u{1b}[{n}m")).chain(["\u{1b}[38;".into(), "\u{1b}[48;".into()])
    {
        assert!(!has(color.as_bytes()), "{color:?} although NO_COLOR is set");
    }
}

#[test]
fn where_there_is_no_terminal_it_says_what_to_use() {
    let world = World::new();
    let ran = world.run(&["watch"]).expect(2);
    assert!(ran.stderr.contains("`rampart audit tail --follow`") && ran.stdout.is_empty(), "{ran:?}");
}
