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
    // Without one, as HTTP/1.0 allows and HTTP/1.1 does not; and with a target that names another than the header.
    for head in [
        "GET /healthz HTTP/1.1\r\n".to_owned(),
        "GET /healthz HTTP/1.0\r\n".to_owned(),
        "GET /healthz HTTP/1.1\r\nhost:\r\n".to_owned(),
        format!("GET http://evil.example/healthz HTTP/1.1\r\nhost: {at}\r\n"),
    ] {
        let mut stream = TcpStream::connect(&at).unwrap();
        write!(stream, "{head}connection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        assert!(answer.is_empty() || [" 400 ", " 421 "].iter().any(|code| answer.contains(code)), "{head}: {answer}");
    }
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

/// Reads so many answers from a connection on which requests were sent one behind the other; their status codes.
fn answers(stream: &mut BufReader<TcpStream>, count: usize) -> Vec<u16> {
    (0..count)
        .map_while(|_| {
            let (mut status, mut length) = (0, 0);
            loop {
                let mut line = String::new();
                if stream.read_line(&mut line).ok()? == 0 {
                    return None;
                }
                let line = line.trim().to_ascii_lowercase();
                if let Some(rest) = line.strip_prefix("http/1.1 ") {
                    status = rest[..3].parse().unwrap();
                } else if let Some(value) = line.strip_prefix("content-length: ") {
                    length = value.parse().unwrap();
                } else if line.is_empty() {
                    break;
                }
            }
            stream.read_exact(&mut vec![0; length]).ok()?;
            Some(status)
        })
        .collect()
}

/// For a few seconds from many connections at once; a million at that pace take hours (see `credentials` for what they
/// come to).
#[test]
fn c4_a_flood_of_guesses_gets_few_answers_and_holds_up_nobody() {
    let world = served();
    let at = address(&world);
    let good = format!("Bearer {}", std::fs::read_to_string(world.home().join("token")).unwrap().trim());
    let (began, flood) = (Instant::now(), Duration::from_secs(4));
    let (looked_at, turned_away, slowest) = std::thread::scope(|scope| {
        let guessing: Vec<_> = (0..200)
            .map(|seat| {
                let at = &at;
                scope.spawn(move || {
                    let mut stream = BufReader::new(TcpStream::connect(at).unwrap());
                    let mut seen = Vec::new();
                    while began.elapsed() < flood {
                        let n = seen.len();
                        let head = format!(
                            "GET /v1/status HTTP/1.1\r\nhost: {at}\r\nauthorization: Bearer guess-{seat}-{n}\r\n\r\n"
                        );
                        stream.get_mut().write_all(head.as_bytes()).unwrap();
                        seen.extend(answers(&mut stream, 1));
                    }
                    seen
                })
            })
            .collect();
        let mut slowest = Duration::ZERO;
        while began.elapsed() < flood {
            let asked = Instant::now();
            assert_eq!(exchange(&at, "GET", "/v1/status", &[("authorization", &good)], "").0, 200);
            slowest = slowest.max(asked.elapsed());
            std::thread::sleep(Duration::from_millis(20));
        }
        let seen: Vec<u16> = guessing.into_iter().flat_map(|guessing| guessing.join().unwrap()).collect();
        let count = |code: u16| seen.iter().filter(|status| **status == code).count();
        assert_eq!(count(401) + count(429), seen.len(), "nothing else is said");
        (count(401), count(429), slowest)
    });
    // Ten at once, and 64 a second of those that are answered a second later.
    let most = 10 + 64 * (began.elapsed().as_secs() as usize + 1);
    assert!(looked_at <= most && turned_away > looked_at, "{looked_at} of at most {most}, and {turned_away}");
    assert!(slowest < Duration::from_secs(2), "who knows the token is served meanwhile: {slowest:?}");
    let refused = auth(&world).into_iter().filter(|(event, ..)| event == "refused").count();
    assert_eq!(refused, 11, "a few a minute are written down");
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

/// Every spelling of `..` and `/` that has ever led out of a folder, and how deep: 21,600 paths.
fn climbing() -> impl Iterator<Item = String> {
    let dots = [
        "..",
        "%2e%2e",
        "%2e.",
        ".%2e",
        "%252e%252e",
        "%c0%2e%c0%2e",
        "%c0%ae%c0%ae",
        "%e0%80%ae%e0%80%ae",
        "%u002e%u002e",
        "..;",
        "....",
        ".%00.",
        "%uff0e%uff0e",
        "%ef%bc%8e%ef%bc%8e",
        "..%00",
        "..%01",
        "...",
        "%%32%65%%32%65",
        "%2E%2E",
        "..%20",
    ];
    let slashes = [
        "/",
        "%2f",
        "\\",
        "%5c",
        "%252f",
        "%255c",
        "%c0%af",
        "%c1%9c",
        "%e0%80%af",
        "%u2215",
        "%uff0f",
        "//",
        "%c0%2f",
        "/./",
        "%2f%2f",
        "%%32%66",
        "%2F",
        "/%2f",
    ];
    let ends = ["etc/passwd", "etc/passwd%00", "etc/passwd%00.html", "proc/self/environ", "token", ".rampart/token"];
    let fronts = ["/v1/approvals/", "/dashboard/"];
    dots.into_iter().flat_map(move |dot| {
        slashes.into_iter().flat_map(move |slash| {
            [1, 2, 3, 5, 8].into_iter().flat_map(move |depth| {
                ends.into_iter().flat_map(move |end| {
                    fronts.map(|front| format!("{front}{}{end}", format!("{dot}{slash}").repeat(depth)))
                })
            })
        })
    })
}

#[test]
fn c9_a_path_that_climbs_is_not_found_and_opens_no_file() {
    let test = "c9_a_path_that_climbs_is_not_found_and_opens_no_file";
    if !have(test, &["strace"]) {
        return;
    }
    let mut world = World::with_policy(OPEN);
    let trace = world.path("trace");
    let mut strace = world.command("strace");
    strace.args(["-f", "--seccomp-bpf", "-qq", "-o"]).arg(&trace).args(["-e", "trace=open,openat,openat2,execve"]);
    world.serve_as({
        strace.arg(bin("rampart")).arg("serve");
        strace
    });
    let at = address(&world);
    let good = format!("Bearer {}", std::fs::read_to_string(world.home().join("token")).unwrap().trim());
    let opened = || std::fs::read_to_string(&trace).unwrap();
    let before = opened().len();
    let paths: Vec<String> = climbing().collect();
    assert!(paths.len() >= 21_144, "{}", paths.len());
    // One connection for many, closed by whatever is no HTTP.
    let mut stream = BufReader::new(TcpStream::connect(&at).unwrap());
    for path in &paths {
        let head = format!("GET {path} HTTP/1.1\r\nhost: {at}\r\nauthorization: {good}\r\n\r\n");
        let ask = |stream: &mut BufReader<TcpStream>| {
            stream.get_mut().write_all(head.as_bytes()).ok()?;
            answers(stream, 1).pop()
        };
        let status = ask(&mut stream).or_else(|| {
            stream = BufReader::new(TcpStream::connect(&at).unwrap());
            ask(&mut stream)
        });
        assert!(matches!(status, Some(400 | 404 | 405)), "{path}: {status:?}");
    }
    // What it opens by itself meanwhile is its own.
    let trace = opened();
    let names = trace[before..].lines().filter_map(|line| line.split('"').nth(1));
    let home = world.home();
    let own = [home.as_path(), Path::new("/proc"), Path::new("/etc/ssl"), Path::new("/usr/lib/ssl")];
    let is_own = |name: &str| own.iter().any(|folder| Path::new(name).starts_with(folder));
    let led_out =
        |name: &&str| name.contains("..") || name.ends_with("/token") || name.starts_with('/') && !is_own(name);
    let outside: Vec<&str> = names.filter(led_out).collect();
    assert_eq!(outside, [""; 0]);
    world.run(&["serve", "stop"]).expect(0);
}

/// Somebody swaps what is written and loaded for links to elsewhere, and back, while it is written and loaded: each of the
/// human's files, a folder, and the home itself.
#[test]
fn c10_a_link_in_place_of_a_file_or_folder_leads_nothing_out_of_the_home() {
    for place in ["policies/user-overrides.yaml", "policies/custom.yaml", "policies", "state", ""] {
        let mut world = served();
        let outside = world.path("outside");
        std::fs::create_dir(&outside).unwrap();
        let theirs = "version: \"1\"\npolicies: []\n";
        for name in ["file.yaml", "custom.yaml", "user-overrides.yaml", "user-overrides.lock"] {
            std::fs::write(outside.join(name), theirs).unwrap();
        }
        let mut before: Vec<_> = std::fs::read_dir(&outside).unwrap().map(|e| e.unwrap().file_name()).collect();
        world.run(&["block", "first", "--yes"]).expect(0);
        let is_file = world.home().join(place).is_file();
        let (there, kept) = (world.home().join(place), world.path("kept"));
        let target = if is_file { outside.join("file.yaml") } else { outside.clone() };
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let _ = std::fs::rename(&there, &kept);
                    let _ = std::os::unix::fs::symlink(&target, &there);
                    std::thread::sleep(Duration::from_micros(300));
                    let _ = std::fs::remove_file(&there);
                    let _ = std::fs::rename(&kept, &there);
                    std::thread::sleep(Duration::from_micros(300));
                }
            });
            for n in 0..12 {
                // It may fail; it may not write elsewhere. Rules are loaded again after each.
                world.run(&["block", &format!("command-{n}"), "--yes"]);
                world.run(&["allow", &format!("other-{n}"), "--yes"]);
            }
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        let mut after: Vec<_> = std::fs::read_dir(&outside).unwrap().map(|e| e.unwrap().file_name()).collect();
        before.sort();
        after.sort();
        assert_eq!(before, after, "{place}: nothing was made there");
        for name in &after {
            assert_eq!(std::fs::read_to_string(outside.join(name)).unwrap(), theirs, "{place}: {name:?}");
        }
        let ended = world.gateway().try_wait().unwrap();
        // One that finds its home gone for good ends in order.
        let in_order = place.is_empty() && ended.is_some_and(|status| status.success());
        assert!(ended.is_none() || in_order, "{place}: the gateway ended with {ended:?}: {}", world.gateway_log());
    }
}
