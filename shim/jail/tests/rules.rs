//! Rules as the kernel has them, in a network namespace of the test's own, and as `nft` shows them.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

use std::{
    io::Write as _,
    net::{TcpListener, TcpStream, UdpSocket},
    process::{Command, Stdio},
    time::Duration,
};

use rampart_jail::Redirection;

const RULES: Redirection = Redirection { tcp: 15001, dns: 15053, exempt: None };
const SIDECAR: Redirection = Redirection { exempt: Some(1337), ..RULES };
/// Set in the process that is in the namespace.
const INSIDE: &str = "RAMPART_TEST_INSIDE";

/// Runs this test again in user and network namespaces of its own, as root there; true in that process.
fn inside(test: &str) -> bool {
    #[expect(clippy::disallowed_methods, reason = "the test's own entry")]
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--net", "--"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    std::io::stderr().write_all(&output.stdout).unwrap();
    std::io::stderr().write_all(&output.stderr).unwrap();
    assert!(output.status.success(), "{test} failed in its namespace");
    false
}

fn sh(script: &str) -> String {
    let output = Command::new("sh").args(["-c", script]).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{script}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_kernel_has_what_was_installed_and_says_so() {
    if !inside("the_kernel_has_what_was_installed_and_says_so") {
        return;
    }
    for rules in [RULES, SIDECAR] {
        assert!(!rules.stands().unwrap(), "before");
        rules.install().unwrap();
        assert!(rules.stands().unwrap(), "after");
        rules.install().unwrap();
        assert!(rules.stands().unwrap(), "twice");
        for other in
            [Redirection { tcp: 1, ..rules }, Redirection { dns: 1, ..rules }, Redirection { exempt: Some(7), ..rules }]
        {
            assert!(!other.stands().unwrap(), "{other:?}");
        }
    }
}

/// `nft` is not needed, but where it is installed it has the last word.
#[test]
fn nft_shows_the_rules_of_the_description() {
    if Command::new("nft").arg("--version").output().is_err() {
        eprintln!("skipped: no nft on this machine");
        return;
    }
    if !inside("nft_shows_the_rules_of_the_description") {
        return;
    }
    SIDECAR.install().unwrap();
    let shown = sh("nft list table inet rampart");
    let lines: Vec<_> = shown.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    assert_eq!(
        lines,
        [
            "table inet rampart {",
            "chain nat_output {",
            "type nat hook output priority -110; policy accept;",
            "meta skuid 1337 return",
            "udp dport 53 redirect to :15053",
            "tcp dport 53 redirect to :15053",
            "ip daddr 127.0.0.0/8 return",
            "ip6 daddr ::1 return",
            "meta l4proto tcp redirect to :15001",
            "}",
            "chain filter_output {",
            "type filter hook output priority filter; policy drop;",
            "meta skuid 1337 accept",
            "icmpv6 type nd-router-solicit accept",
            "icmpv6 type nd-neighbor-solicit accept",
            "icmpv6 type nd-neighbor-advert accept",
            "ct state established,related accept",
            "ip daddr 127.0.0.11 reject with icmpx admin-prohibited",
            "ip daddr 127.0.0.0/8 accept",
            "ip6 daddr ::1 accept",
            "reject with icmpx admin-prohibited",
            "}",
            "}",
        ]
    );
    // Somebody else's change is seen.
    sh("nft insert rule inet rampart nat_output tcp dport 443 accept");
    assert!(!SIDECAR.stands().unwrap());
    SIDECAR.install().unwrap();
    sh("nft add rule inet rampart filter_output accept; nft chain inet rampart filter_output '{ policy accept; }'");
    assert!(!SIDECAR.stands().unwrap());
}

#[test]
fn all_tcp_and_all_questions_arrive_and_nothing_else_leaves() {
    if !inside("all_tcp_and_all_questions_arrive_and_nothing_else_leaves") {
        return;
    }
    sh("ip link set lo up && ip route add local default dev lo && ip -6 route add local default dev lo");
    RULES.install().unwrap();
    let wait = Some(Duration::from_secs(5));
    for (own, tcp, dns) in [
        (
            "127.0.0.1",
            &["203.0.113.80:80", "198.51.100.1:22", "169.254.169.254:80"][..],
            &["8.8.8.8:53", "127.0.0.53:53"][..],
        ),
        ("[::1]", &["[2001:db8:2::9]:443", "[fd00::1]:8080"][..], &["[2001:4860:4860::8888]:53"][..]),
    ] {
        let listener = TcpListener::bind(format!("{own}:15001")).unwrap();
        for to in tcp {
            let client = TcpStream::connect(to).unwrap();
            let (served, _) = listener.accept().unwrap();
            assert_eq!(client.peer_addr().unwrap(), to.parse().unwrap());
            let socket = socket2::SockRef::from(&served);
            let original = if own.starts_with('[') { socket.original_dst_v6() } else { socket.original_dst_v4() };
            assert_eq!(original.unwrap().as_socket().unwrap(), to.parse().unwrap());
        }
        let names = UdpSocket::bind(format!("{own}:15053")).unwrap();
        let by_tcp = TcpListener::bind(format!("{own}:15053")).unwrap();
        names.set_read_timeout(wait).unwrap();
        for to in dns {
            let client = UdpSocket::bind(if own.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" }).unwrap();
            client.set_read_timeout(wait).unwrap();
            client.send_to(b"?", to).unwrap();
            let mut buffer = [0; 8];
            let (_, from) = names.recv_from(&mut buffer).unwrap();
            names.send_to(b"!", from).unwrap();
            let (_, from) = client.recv_from(&mut buffer).unwrap();
            assert_eq!(from, to.parse().unwrap(), "the answer comes from where the question went");
            let _client = TcpStream::connect(to).unwrap();
            by_tcp.accept().unwrap();
        }
        // The loopback is the namespace's own.
        let server = TcpListener::bind(format!("{own}:0")).unwrap();
        TcpStream::connect(server.local_addr().unwrap()).unwrap();
        server.accept().unwrap();
    }
    for to in ["8.8.8.8:443", "[2001:db8::1]:443", "203.0.113.1:123"] {
        let socket = UdpSocket::bind(if to.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" }).unwrap();
        assert!(socket.send_to(b"x", to).is_err(), "{to}");
    }
}
