//! Every way out that is none.

use std::fmt::Write as _;

use super::{Jail, PYTHON};
use crate::world::{clients, have};

/// What gives a client of this machine the road's origin, and how it shows that the page came.
#[test]
fn whatever_a_program_does_about_proxies_it_arrives_at_the_gateway_and_is_judged() {
    let test = "whatever_a_program_does_about_proxies_it_arrives_at_the_gateway_and_is_judged";
    let Some(jail) = Jail::ordinary(test) else { return };
    let (allowed, denied) = (jail.road.url("origin.test", "/1k"), jail.road.url("denied.test", "/1k"));
    let status = "-sS -o /dev/null -w '%{http_code} '";
    // Not among its words, for which it would not even be started.
    jail.road.world.write("project/denied", format!("url = {denied}"));
    let mut script = format!(
        "curl {status} {allowed}; curl {status} -K denied\n\
         curl --noproxy '*' {status} {allowed}; curl --noproxy '*' {status} -K denied\n\
         env -i PATH=$PATH CURL_CA_BUNDLE=$CURL_CA_BUNDLE curl {status} {allowed}\n\
         LD_PRELOAD= NO_PROXY='*' no_proxy='*' curl {status} {allowed}\n\
         echo\n\
         unset LD_PRELOAD HTTPS_PROXY https_proxy ALL_PROXY all_proxy HTTP_PROXY http_proxy NODE_USE_ENV_PROXY NODE_OPTIONS\n\
         {PYTHON} -c \"import urllib.request as u; print('python', len(u.urlopen('{allowed}').read()))\"\n"
    );
    if let Some(clients) = clients(test) {
        let node = clients.join("node_modules/.bin/node");
        let _ = writeln!(
            script,
            "{} --input-type=module -e \"const r = await fetch('{allowed}'); console.log('node', (await r.text()).length)\"",
            node.display()
        );
    }
    let ran = jail.shell(&script).expect(0);
    let mut lines = ran.stdout.lines();
    assert_eq!(lines.next().map(str::trim), Some("200 403 200 403 200 200"), "{ran:?}");
    assert_eq!(lines.next(), Some("python 1024"), "{ran:?}");
    assert!(lines.next().is_none_or(|line| line == "node 1024"), "{ran:?}");
    let decisions = jail.road.world.decisions();
    let by_proxy: Vec<_> = decisions.iter().filter(|d| d["actor"]["surface"] == "egress").collect();
    assert!(by_proxy.len() > 8);
    for decision in by_proxy {
        assert_eq!(decision["actor"]["agent"], "mine", "the door says who it is: {decision:#}");
        assert_ne!(decision["actor"]["session"], "unidentified", "{decision:#}");
    }
}

#[test]
fn a_program_without_libc_is_in_the_same_network() {
    let test = "a_program_without_libc_is_in_the_same_network";
    if !have(test, &["gcc"]) {
        return;
    }
    let Some(jail) = Jail::ordinary(test) else { return };
    let source = jail.road.world.write("project/get.c", include_str!("get.c"));
    let program = jail.road.world.project().join("get");
    let built = std::process::Command::new("gcc").args(["-static", "-O1", "-o"]).arg(&program).arg(&source).status();
    assert!(built.unwrap().success());
    let ran = jail.shell("./get 203.0.113.9 80").expect(0);
    assert!(ran.stdout.starts_with("HTTP/1.1 403"), "judged, and as no such host is reached, refused: {ran:?}");
    assert!(ran.stdout.contains("x-rampart-decision"), "{ran:?}");
}

#[test]
fn every_address_and_port_arrives_with_where_it_was_going() {
    let Some(jail) = Jail::ordinary("every_address_and_port_arrives_with_where_it_was_going") else { return };
    let ran = jail
        .shell(
            "for to in 203.0.113.7:80 203.0.113.7:8080 198.51.100.1:22 169.254.169.254:80 10.0.0.1:80 '[2001:db8:2::9]:80' '[fd00::1]:81'; do \
               curl -g --noproxy '*' -sS -m 20 -o /dev/null -w \"$to %{http_code}\\n\" http://$to/; done",
        )
        .expect(0);
    assert_eq!(
        ran.stdout.lines().filter(|line| line.ends_with(" 403") || line.ends_with(" 502")).count(),
        7,
        "{ran:?}"
    );
    let urls: Vec<_> = jail.road.world.decisions().iter().map(ToString::to_string).collect();
    for to in ["203.0.113.7:8080", "198.51.100.1:22", "169.254.169.254", "10.0.0.1", "[2001:db8:2::9]", "[fd00::1]:81"]
    {
        assert!(urls.iter().any(|d| d.contains("egress") && d.contains(to)), "{to}: {urls:#?}");
    }
}

#[test]
fn nothing_but_tcp_and_names_goes_anywhere() {
    let Some(jail) = Jail::ordinary("nothing_but_tcp_and_names_goes_anywhere") else { return };
    let ran = jail
        .python(
            r"
def packet(family, to):
    s = socket.socket(family, socket.SOCK_DGRAM); s.settimeout(1)
    s.sendto(b'x', to); return s.recvfrom(10)
def kind(*of):
    s = socket.socket(*of); return s
attempt('quic', lambda: packet(socket.AF_INET, ('203.0.113.1', 443)))
attempt('quic6', lambda: packet(socket.AF_INET6, ('2001:db8::1', 443)))
attempt('ntp', lambda: packet(socket.AF_INET, ('203.0.113.1', 123)))
attempt('dot-by-udp', lambda: packet(socket.AF_INET, ('8.8.8.8', 853)))
attempt('multicast', lambda: packet(socket.AF_INET, ('224.0.0.251', 5353)))
attempt('broadcast', lambda: packet(socket.AF_INET, ('255.255.255.255', 67)))
attempt('icmp', lambda: kind(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP))
attempt('icmp6', lambda: kind(socket.AF_INET6, socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6))
attempt('raw', lambda: kind(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
attempt('raw6', lambda: kind(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_TCP))
attempt('packet', lambda: kind(socket.AF_PACKET, socket.SOCK_RAW, 3))
attempt('vsock', lambda: kind(40, socket.SOCK_STREAM))
attempt('sctp', lambda: kind(socket.AF_INET, socket.SOCK_SEQPACKET, 132).connect(('203.0.113.1', 80)))
attempt('ring', lambda: ctypes.CDLL(None, use_errno=True).syscall(425, 1, 0) >= 0 or (_ for _ in ()).throw(OSError(ctypes.get_errno(), '')))
attempt('x32', lambda: ctypes.CDLL(None, use_errno=True).syscall(0x40000000 + 39) >= 0 or (_ for _ in ()).throw(OSError(ctypes.get_errno(), '')))
attempt('abstract', lambda: kind(socket.AF_UNIX).connect('\0/tmp/.X11-unix/X0'))
print('interfaces', [name for _, name in socket.if_nameindex()])
",
        )
        .expect(0);
    assert!(!ran.stdout.contains("DONE"), "{}", ran.stdout);
    assert_eq!(ran.stdout.lines().filter(|line| line.contains(" failed ")).count(), 16, "{}", ran.stdout);
    assert!(ran.stdout.ends_with("interfaces ['lo']\n"), "{}", ran.stdout);
}

#[test]
fn names_are_answered_by_policy_whoever_is_asked() {
    let Some(jail) = Jail::ordinary("names_are_answered_by_policy_whoever_is_asked") else { return };
    let ran = jail
        .python(
            r"
import struct
def question(name, kind):
    labels = b''.join(bytes([len(l)]) + l.encode() for l in name.split('.'))
    return struct.pack('>HHHHHH', 7, 256, 1, 0, 0, 0) + labels + b'\0' + struct.pack('>HH', kind, 1)
def ask(server, name, kind=1, tcp=False):
    family = socket.AF_INET6 if ':' in server else socket.AF_INET
    s = socket.socket(family, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM); s.settimeout(10)
    s.connect((server, 53))
    q = question(name, kind)
    s.send(struct.pack('>H', len(q)) + q if tcp else q)
    answer = s.recv(4096)[2 if tcp else 0:]
    return 'code', answer[3] & 15, 'answers', struct.unpack('>H', answer[6:8])[0]
for server in ('8.8.8.8', '127.0.0.53', '127.0.0.1', '2001:4860:4860::8888'):
    attempt(server, lambda: ask(server, 'origin.test'))
attempt('by-tcp', lambda: ask('1.1.1.1', 'origin.test', tcp=True))
attempt('denied', lambda: ask('8.8.8.8', 'c2VjcmV0.secret-name.test'))
attempt('text', lambda: ask('8.8.8.8', 'origin.test', 16))
attempt('any', lambda: ask('8.8.8.8', 'origin.test', 255))
",
        )
        .expect(0);
    let good = "DONE ('code', 0, 'answers', 1)";
    for (line, expected) in ran.stdout.lines().zip([
        format!("8.8.8.8 {good}"),
        format!("127.0.0.53 {good}"),
        format!("127.0.0.1 {good}"),
        format!("2001:4860:4860::8888 {good}"),
        format!("by-tcp {good}"),
        "denied DONE ('code', 3, 'answers', 0)".to_owned(),
        "text DONE ('code', 5, 'answers', 0)".to_owned(),
        "any DONE ('code', 5, 'answers', 0)".to_owned(),
    ]) {
        // Below a name that is off limits nothing is looked up; where no rule says so, it is asked for and not found.
        let expected = if line.starts_with("denied") {
            line.replace("'code', 2", "'code', 3") == expected
        } else {
            line == expected
        };
        assert!(expected, "{}", ran.stdout);
    }
}

#[test]
fn the_rules_cannot_be_taken_back() {
    for jail in [Jail::open("the_rules_cannot_be_taken_back"), Jail::ordinary("the_rules_cannot_be_taken_back")] {
        let Some(jail) = jail else { return };
        let own = format!("http://origin.test:{}/", jail.road.port);
        let ran = jail.shell(&format!(
            "ip link add x type dummy; ip addr add 198.51.100.9/24 dev lo; ip route del local default dev lo table local; \
             nft flush ruleset; iptables -F -t nat; setpriv --reuid 0 true; chroot / true; mount -t tmpfs x /mnt; \
             unshare -rn sh -c 'nft flush ruleset; ip link set lo up; curl -sS -m 3 --noproxy \"*\" http://203.0.113.1/'; \
             nsenter -t $PPID -n true && echo OUT; nsenter -t 1 -n true && echo OUT; \
             curl --noproxy '*' -sS -m 10 -o /dev/null -w '%{{http_code}}' {own}; ip -o link | wc -l; ip route show table local | grep -c default"
        ));
        assert!(!ran.stdout.contains("OUT"), "{ran:?}");
        assert!(!ran.stdout.starts_with("000"), "still judged: {ran:?}");
        assert!(ran.stdout.ends_with("1\n1\n"), "{ran:?}");
    }
}

#[test]
fn the_loopback_is_its_own_and_a_port_of_the_hosts_is_let_in_by_choice() {
    let test = "the_loopback_is_its_own_and_a_port_of_the_hosts_is_let_in_by_choice";
    let Some(jail) = Jail::ordinary(test) else { return };
    let host = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = host.local_addr().unwrap().port();
    std::thread::spawn(move || {
        use std::io::Write as _;
        for mut stream in host.incoming().map_while(Result::ok) {
            let _ = stream.write_all(b"the host speaks first\n");
        }
    });
    let look = format!(
        "attempt('host', lambda: socket.create_connection(('127.0.0.1', {port}), 5).makefile().readline())\n\
         l = socket.create_server(('127.0.0.1', 0)); c = socket.create_connection(l.getsockname()); s, _ = l.accept()\n\
         s.send(b'mine'); print(c.recv(4).decode())\n"
    );
    let ran = jail.python(&look).expect(0);
    assert_eq!(ran.stdout, "host failed Connection refused\nmine\n");
    let ran = jail.python_with(&["--allow-host-port", &port.to_string()], &look).expect(0);
    assert_eq!(ran.stdout, "host DONE the host speaks first\n\nmine\n");
    let decisions = jail.road.world.decisions();
    let judged = |d: &serde_json::Value| d["action"]["host"] == "127.0.0.1" && d["action"]["port"] == port;
    assert!(decisions.iter().any(|d| d["actor"]["surface"] == "egress" && judged(d)), "{decisions:#?}");
}
