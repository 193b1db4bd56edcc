//! The local control plane under attack: rebinding, foreign sites, guessed and stolen tokens, links in the way of files.

use super::*;

#[test]
fn only_the_names_of_loopback_are_answered() {
    let world = served();
    let at = address(&world);
    let port = at.rsplit_once(':').unwrap().1;
    let good = format!("Bearer {}", std::fs::read_to_string(world.home().join("token")).unwrap().trim());
    for host in [
        "evil.example:9090".to_owned(),
        format!("127.0.0.1.nip.io:{port}"),
        "localhost:1".to_owned(),
        format!("0.0.0.0:{port}"),
        format!("[::]:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        format!("localhost.:{port}"),
        format!("LOCALHOST:{port}"),
    ] {
        for path in ["/v1/status", "/v1/events/stream", "/dashboard/", "/healthz"] {
            let headers = [("host", host.as_str()), ("authorization", &good)];
            let upgrade = [("host", host.as_str()), ("upgrade", "websocket"), ("connection", "upgrade")];
            assert_eq!(exchange(&at, "GET", path, &headers, "").0, 421, "{host} {path}");
            assert_eq!(exchange(&at, "GET", path, &upgrade, "").0, 421, "{host} {path}");
        }
    }
    let twice = [("host", at.as_str()), ("host", at.as_str())];
    let (status, _) = exchange(&at, "GET", "/healthz", &twice, "");
    assert!(matches!(status, 400 | 421), "{status}");
}

#[test]
fn what_a_page_of_another_site_can_send_is_refused() {
    let world = served();
    let at = address(&world);
    let good = format!("Bearer {}", std::fs::read_to_string(world.home().join("token")).unwrap().trim());
    let foreign: [&[(&str, &str)]; 5] = [
        &[("origin", "https://evil.example")],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://evil.example"), ("access-control-request-private-network", "true")],
    ];
    for headers in foreign {
        for (method, path) in [
            ("GET", "/v1/status"),
            ("GET", "/v1/events/stream"),
            ("POST", "/v1/policy/reload"),
            ("OPTIONS", "/v1/tokens"),
        ] {
            let headers = [headers, &[("authorization", &good)]].concat();
            let (status, answer) = exchange(&at, method, path, &headers, "");
            assert_eq!((status, answer["error"]["code"].as_str()), (403, Some("cross_site")), "{headers:?}");
        }
    }
    // What a form can send without a word to anybody has no token, and is no JSON.
    assert_eq!(exchange(&at, "POST", "/v1/tokens", &[("content-type", "text/plain")], "{}").0, 401);
    let plain = [("authorization", good.as_str()), ("content-type", "text/plain")];
    assert_eq!(exchange(&at, "POST", "/v1/tokens", &plain, "{}").0, 415);
}

#[test]
fn guessing_is_slow_and_hurts_nobody_else() {
    let world = served();
    let at = address(&world);
    let good = format!("Bearer {}", std::fs::read_to_string(world.home().join("token")).unwrap().trim());
    let guess = |n: usize| exchange(&at, "GET", "/v1/status", &[("authorization", &format!("Bearer guess-{n}"))], "").0;
    let began = Instant::now();
    for n in 0..10 {
        assert_eq!(guess(n), 401);
    }
    assert!(began.elapsed() < Duration::from_secs(3), "the first ten are answered at once");
    let began = Instant::now();
    assert_eq!(guess(10), 401);
    assert!(began.elapsed() >= Duration::from_secs(1), "{:?}", began.elapsed());
    let began = Instant::now();
    assert_eq!(exchange(&at, "GET", "/v1/status", &[("authorization", &good)], "").0, 200);
    assert!(began.elapsed() < Duration::from_millis(900), "who knows the token is not delayed");
    // Many at once cannot take all the room there is.
    let crowd: Vec<_> = std::thread::scope(|scope| {
        let guesses: Vec<_> = (0..100).map(|n| scope.spawn(move || guess(100 + n))).collect();
        guesses.into_iter().map(|g| g.join().unwrap()).collect()
    });
    assert!(crowd.iter().all(|status| matches!(status, 401 | 429)) && crowd.contains(&429), "{crowd:?}");
    let refused: Vec<_> = auth(&world).into_iter().filter(|(event, ..)| event == "refused").collect();
    assert_eq!(refused.len(), 11, "{refused:#?}");
    assert!(refused[10].2.contains("more than 10 refusals a minute of 127.0.0.1"), "{refused:#?}");
}

#[test]
fn other_processes_of_the_user_cannot_look_into_the_gateway() {
    if !have("other_processes_of_the_user_cannot_look_into_the_gateway", &["gcore"]) {
        return;
    }
    let mut world = World::with_policy(OPEN);
    world.serve_with(&[], &[("RAMPART_TOKEN", "a-token-in-the-environment-0123456789")]);
    let pid = world.gateway().id();
    // Root may look at everything; what it sees is that the files belong to root and not to the process's user. Whoever
    // runs the tests as somebody else sees that they cannot be read.
    let environ = std::fs::File::open(format!("/proc/{pid}/environ"));
    let root = world.command("id").arg("-u").output().unwrap().stdout == b"0\n";
    assert!(root || environ.is_err(), "the environment of the gateway can be read");
    let flags = std::fs::read_to_string(format!("/proc/{pid}/coredump_filter"));
    assert!(root || flags.is_err());
    let cmdline = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(!cmdline.contains("0123456789"));
    for said in [world.gateway_log(), world.run(&["status", "--json"]).stdout, world.run(&["log", "--json"]).stdout] {
        assert!(!said.contains("0123456789"), "{said}");
    }
}

#[test]
fn a_ticket_opens_one_stream_once() {
    let world = served();
    let at = address(&world);
    let good = format!("Bearer {}", std::fs::read_to_string(world.home().join("token")).unwrap().trim());
    let (status, answer) = exchange(&at, "POST", "/v1/events/ticket", &[("authorization", &good)], "");
    assert_eq!(status, 200, "{answer}");
    let ticket = answer["ticket"].as_str().unwrap();
    let first = |path: &str| {
        let mut stream = TcpStream::connect(&at).unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: {at}\r\n\r\n").as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line
    };
    assert!(first(&format!("/v1/status?ticket={ticket}")).contains(" 401 "), "it opens a stream and nothing else");
    assert!(first(&format!("/v1/events/stream?ticket={ticket}")).contains(" 200 "));
    assert!(first(&format!("/v1/events/stream?ticket={ticket}")).contains(" 401 "), "once");
    let token = good.trim_start_matches("Bearer ");
    assert!(first(&format!("/v1/events/stream?token={token}")).contains(" 400 "));
}

#[test]
fn a_path_that_climbs_opens_no_file() {
    let world = served();
    let at = address(&world);
    let good = format!("Bearer {}", std::fs::read_to_string(world.home().join("token")).unwrap().trim());
    let mut tried = 0;
    for climb in
        ["../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%5c", "..\\", "....//", "%252e%252e%252f", "..;/", "%c0%ae%c0%ae/"]
    {
        for depth in [1, 3, 8] {
            for end in ["etc/passwd", "etc/passwd%00", "etc/passwd%00.html", "proc/self/environ", "token"] {
                for front in ["/v1/approvals/", "/v1/sessions/", "/v1/tokens/", "/dashboard/", "/"] {
                    let path = format!("{front}{}{end}", climb.repeat(depth));
                    let mut stream = TcpStream::connect(&at).unwrap();
                    let head = format!(
                        "GET {path} HTTP/1.1\r\nhost: {at}\r\nauthorization: {good}\r\nconnection: close\r\n\r\n"
                    );
                    stream.write_all(head.as_bytes()).unwrap();
                    let mut answer = String::new();
                    let _ = stream.read_to_string(&mut answer);
                    assert!(!answer.contains("root:") && !answer.contains("RAMPART_HOME="), "{path}: {answer}");
                    let session = front == "/v1/sessions/" && answer.contains("\"calls\":0");
                    assert!(session || !answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
                    tried += 1;
                }
            }
        }
    }
    assert_eq!(tried, 750);
}

/// Somebody swaps the human's overrides for a link to a file elsewhere, and back, while rules are written and loaded.
#[test]
fn a_link_in_place_of_a_file_leads_nothing_out_of_the_home() {
    let world = served();
    let outside = world.write("outside.yaml", "not: ours\n");
    let (place, kept) = (world.home().join("policies/user-overrides.yaml"), world.home().join("kept.yaml"));
    world.run(&["block", "first", "--yes"]).expect(0);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                let _ = std::fs::rename(&place, &kept);
                let _ = std::os::unix::fs::symlink(&outside, &place);
                std::thread::yield_now();
                let _ = std::fs::remove_file(&place);
                let _ = std::fs::rename(&kept, &place);
            }
        });
        for n in 0..40 {
            // It may fail; it may not write elsewhere.
            world.run(&["block", &format!("command-{n}"), "--yes"]);
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "not: ours\n");
    assert!(world.status()["policy"]["hash"].is_string(), "the gateway goes on");
    let hook = world.run_with(&["hook", "--format", "claude-code"], b"{}");
    assert!(!hook.stdout.contains("not: ours") && !hook.stderr.contains("not: ours"));
}
