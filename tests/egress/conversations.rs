//! Clients that talk for a while: gRPC, HTTP/2, WebSockets, events, each by a program of its own.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
};

use super::{POLICY, Road};
use crate::world::{clients, root};

/// An origin of HTTP/2 and gRPC beside the road's own.
struct Origin2 {
    child: Child,
    web: u16,
    grpc: u16,
}

impl Origin2 {
    /// None where the clients are missing that the test needs.
    fn open(road: &Road, test: &str) -> Option<Self> {
        let clients = clients(test)?;
        std::os::unix::fs::symlink(clients.join("node_modules"), road.world.path("node_modules")).unwrap();
        let script = road.world.path("origin2.mjs");
        std::fs::copy(root().join("tests/clients/origin2.mjs"), &script).unwrap();
        let mut node = road.world.command(clients.join("node_modules/.bin/node"));
        let mut child =
            node.arg(script).arg(road.world.path("origin")).stdout(Stdio::piped()).spawn().expect("Node starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut ports = line.split_whitespace().map(|port| port.parse().expect("it prints its ports"));
        Some(Self { child, web: ports.next().unwrap(), grpc: ports.next().unwrap() })
    }
}

impl Drop for Origin2 {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn grpc_keeps_its_trailers_and_talks_both_ways() {
    let test = "grpc_keeps_its_trailers_and_talks_both_ways";
    let Some(road) = Road::open(test) else { return };
    let Some(origin) = Origin2::open(&road, test) else { return };
    let node = road.world.path("node_modules/.bin/node");
    let script = road.world.path("origin2.mjs");
    let call = |host: &str| {
        road.shell(&format!("NO_PROXY= no_proxy= {} {} call {host}:{}", node.display(), script.display(), origin.grpc))
    };
    let ran = call("origin.test").expect(0);
    let said = "hello, x-count 1\n9 not today\nmessage 0\nmessage 1\nmessage 2\nstatus 0, x-count 3\n";
    assert_eq!(ran.stdout, said, "{ran:?}");
    let fetched = road.world.decisions();
    assert!(fetched.iter().any(|d| d.to_string().contains("/test.Echo/Chat")), "it went through the proxy");
    let ran = call("denied.test");
    assert!(!ran.stdout.contains("hello") && ran.stdout.contains("7 "), "403 is PERMISSION_DENIED: {ran:?}");
}

#[test]
fn curl_speaks_http2_to_an_origin_that_does() {
    let test = "curl_speaks_http2_to_an_origin_that_does";
    let Some(road) = Road::open(test) else { return };
    let Some(origin) = Origin2::open(&road, test) else { return };
    let url = |path: &str| format!("https://origin.test:{}{path}", origin.web);
    let ran =
        road.shell(&format!("curl -sS --http2 -o /dev/null -w '%{{http_version}} %{{size_download}}' {}", url("/1k")));
    assert_eq!(ran.stdout, "2 1024", "{ran:?}");
    let ran = road.shell(&format!("head -c 300000 /dev/zero | curl -sS --http2 --data-binary @- {}", url("/post")));
    assert_eq!(ran.stdout, "300000 bytes", "{ran:?}");
    // curl shows trailers among the headers.
    let ran = road.shell(&format!("curl -sS --http2 -D- {}", url("/trailers"))).expect(0);
    assert!(ran.stdout.contains("body") && ran.stdout.to_lowercase().contains("x-sum: 42"), "{ran:?}");
    let ran = road.shell(&format!("curl -sSN --http2 {}", url("/events"))).expect(0);
    assert_eq!(ran.stdout, "data: 0\n\ndata: 1\n\ndata: 2\n\n");
}

#[test]
fn python_aiohttp_and_websockets_talk_through_it() {
    let Some(clients) = clients("python_aiohttp_and_websockets_talk_through_it") else { return };
    let Some(road) = Road::with("python_aiohttp_and_websockets_talk_through_it", POLICY, "") else { return };
    let script = "import aiohttp, asyncio, sys, time, websockets
origin, denied = sys.argv[1:]
async def main():
    async with aiohttp.ClientSession(trust_env=True) as session:
        async with session.get(origin + '/1k') as r:
            print(r.status, len(await r.read()))
        async with session.get(denied + '/') as r:
            print(r.status, r.headers['x-rampart-rule'])
        async with session.post(origin + '/post', data=b'x' * 100000) as r:
            print(await r.text())
        async with session.get(origin + '/events') as r:
            times = [time.monotonic() async for line in r.content if line.strip()]
            print(len(times), times[-1] - times[0] > 0.3)
        async with session.ws_connect(origin + '/ws') as ws:
            await ws.send_str('by aiohttp')
            print((await ws.receive()).data)
    async with websockets.connect(origin.replace('https:', 'wss:') + '/ws') as ws:
        for word in ['by websockets', 'x' * 5000]:
            await ws.send(word)
            assert await ws.recv() == word
        await ws.send(['in ', 'parts'])
        print(await ws.recv())
asyncio.run(main())";
    let file = road.world.write("client.py", script);
    let python = clients.join("python/bin/python");
    let (origin, denied) = (road.url("origin.test", ""), road.url("denied.test", ""));
    let ran = road.shell(&format!("{} {} {origin} {denied}", python.display(), file.display())).expect(0);
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert_eq!(lines[0], "200 1024", "{ran:?}");
    assert!(lines[1].starts_with("403 ") && lines[1].contains("no-denied-test"), "{ran:?}");
    assert_eq!(lines[2..5], ["100000 bytes", "3 True", "by aiohttp"], "{ran:?}");
    assert!(lines[5].ends_with("parts"), "{ran:?}");
}

/// What a conversation uses is counted while it goes on, and also where nobody says anything.
#[test]
fn a_budget_of_bytes_or_time_or_requests_ends_a_websocket() {
    let test = "a_budget_of_bytes_or_time_or_requests_ends_a_websocket";
    let Some(clients) = clients(test) else { return };
    let script = "import asyncio, sys, websockets
origin, size, pause = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
async def talk():
    done = 0
    try:
        async with websockets.connect(origin, max_size=None) as ws:
            while done < 50:
                await ws.send('x' * size)
                await ws.recv()
                done += 1
                await asyncio.wait([asyncio.ensure_future(ws.wait_closed())], timeout=pause)
    except websockets.ConnectionClosed as e:
        return f'{e.rcvd.code} {e.rcvd.reason} after {done}'
    except websockets.InvalidStatus as e:
        return f'{e.response.status_code}'
    return f'all {done}'
async def main():
    for _ in range(2):
        print(await asyncio.wait_for(talk(), 60))
asyncio.run(main())";
    for (budget, size, pause, first, second) in [
        ("sent: 2MB", 60_000, "0.01", "Enough after ", "403"),
        ("received: 2MB", 60_000, "0.01", "Enough after ", "403"),
        ("time: 3s", 10, "0.5", "Enough after ", "403"),
        ("time: 3s", 10, "30", "Enough after ", "403"),
        ("requests: 1", 10, "0", "all 50", "403"),
    ] {
        let policy = format!(
            "version: \"1\"\ndefault_action: allow\npolicies:\n  - name: p\n    rules:\n      - {{ action: deny, when: {{ domain_matches: [origin.test], budget: {{ window: 1h, {budget} }} }}, message: Enough }}\n"
        );
        let Some(road) = Road::with(test, &policy, "") else { return };
        let file = road.world.write("client.py", script);
        let origin = road.url("origin.test", "/ws").replace("https:", "wss:");
        let python = clients.join("python/bin/python");
        let began = std::time::Instant::now();
        let ran = road.shell(&format!("{} {} {origin} {size} {pause}", python.display(), file.display())).expect(0);
        let lines: Vec<_> = ran.stdout.lines().collect();
        let fits = lines[0].contains(first) && (lines[0].starts_with("1008 ") || first == "all 50");
        assert!(fits && !lines[0].ends_with("after 50"), "{budget} {pause}: {ran:?}");
        assert_eq!(lines[1], second, "{budget} {pause}: {ran:?}");
        assert!(began.elapsed().as_secs() < 29, "{budget} {pause}: {:?}", began.elapsed());
        let denied: Vec<_> = road.world.decisions().into_iter().filter(|d| d["outcome"] == "deny").collect();
        let ended = denied.iter().any(|d| d["action"].to_string().contains("/ws"));
        assert!(ended || lines[0] == "all 50", "what was ended is on record: {denied:#?}");
    }
}
