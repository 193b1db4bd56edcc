//! What real clients do besides a simple request: HTTP/2, SOCKS, WebSockets, pushes, package installs.

use super::{POLICY, Road};
use crate::world::{clients, have};

#[test]
fn curl_comes_by_socks_and_over_tls_and_speaks_http2_inside() {
    let Some(road) = Road::open("curl_comes_by_socks_and_over_tls_and_speaks_http2_inside") else { return };
    let url = road.url("origin.test", "/1k");
    let status = road.world.status();
    let egress = status["egress"].as_str().expect("the proxy runs");
    for proxy in [format!("socks5h://{egress}"), format!("https://{egress}"), format!("http://{egress}")] {
        let ran = road.shell(&format!("curl -sS --proxy-cacert \"$NODE_EXTRA_CA_CERTS\" -x {proxy} {url}")).expect(0);
        assert_eq!(ran.stdout.len(), 1024, "{proxy}: {ran:?}");
        let denied = road.url("denied.test", "/");
        let ran = road
            .shell(&format!(
                "curl -sS --proxy-cacert \"$NODE_EXTRA_CA_CERTS\" -o /dev/null -w '%{{http_code}}' -x {proxy} {denied}"
            ))
            .expect(0);
        assert_eq!(ran.stdout, "403", "{proxy}: {ran:?}");
    }
    // An origin that knows no HTTP/2 is not made to look as if it did.
    let ran = road.shell(&format!("curl -sS --http2 -o /dev/null -w '%{{http_version}}' {url}")).expect(0);
    assert_eq!(ran.stdout, "1.1");
}

const CUT: &str = r#"
version: "1"
default_action: allow
policies:
  - name: no-sesame
    match: { tool: fetch }
    rules:
      - action: deny
        when: { response_matches: ["sesame"] }
        message: A word that stays outside
"#;

#[test]
fn what_is_packed_is_read_all_the_same() {
    let Some(road) = Road::with("what_is_packed_is_read_all_the_same", CUT, "") else { return };
    let ran =
        road.shell(&format!("curl -sS --compressed -w '\\n%{{http_code}}' {}", road.url("origin.test", "/packed")));
    assert!(ran.stdout.ends_with("403") && !ran.stdout.contains("the word is"), "{ran:?}");
    assert!(ran.stdout.contains("no-sesame"), "{ran:?}");
}

#[test]
fn git_pushes_over_https() {
    let Some(road) = Road::open("git_pushes_over_https") else { return };
    let web = road.world.path("origin/web");
    let make = format!(
        "git init -q --bare -b main {0}/push.git && git -C {0}/push.git config http.receivepack true",
        web.display()
    );
    assert!(road.world.command("sh").args(["-c", &make]).status().unwrap().success());
    let url = road.url("origin.test", "/git/push.git");
    road.shell(&format!(
        "git clone -q {url} work 2>/dev/null && cd work && git checkout -q -b main && head -c 3000000 /dev/urandom > big \
         && git add big && git -c user.name=t -c user.email=t@t commit -q -m one && git push -q origin main"
    ))
    .expect(0);
    let log =
        road.world.command("git").args(["-C", &format!("{}/push.git", web.display()), "log", "--oneline"]).output();
    assert!(String::from_utf8(log.unwrap().stdout).unwrap().contains("one"));
}

#[test]
fn undici_speaks_websocket_through_it() {
    let Some(clients) = clients("undici_speaks_websocket_through_it") else { return };
    let Some(road) = Road::with("undici_speaks_websocket_through_it", WORDS, "") else { return };
    let script = "import { WebSocket, EnvHttpProxyAgent } from 'undici';
const ws = new WebSocket(process.argv[2], { dispatcher: new EnvHttpProxyAgent() });
let heard = 0;
ws.onopen = () => ws.send('hello');
ws.onmessage = e => { console.log(e.data); ws.send(++heard === 1 ? 'x'.repeat(1000) : 'say forbidden-word now'); };
ws.onclose = e => { console.log(e.code, e.reason); process.exit(0); };
ws.onerror = e => console.log('error', e.message);";
    let file = road.world.write("ws.mjs", script);
    let modules = clients.join("node_modules");
    std::os::unix::fs::symlink(&modules, road.world.path("node_modules")).unwrap();
    let node = clients.join("node_modules/.bin/node");
    let url = road.url("origin.test", "/ws").replace("https:", "wss:");
    let ran = road.shell(&format!("NO_PROXY= no_proxy= {} {} {url}", node.display(), file.display())).expect(0);
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert_eq!(lines.first(), Some(&"hello"), "{ran:?}");
    assert!(lines.get(1).is_some_and(|line| line.len() == 1000), "{ran:?}");
    assert!(lines.get(2).is_some_and(|line| line.starts_with("1008")), "the message is denied: {ran:?}");
}

const WORDS: &str = r#"
version: "1"
default_action: allow
policies:
  - name: no-words
    match: { tool: fetch }
    rules:
      - action: deny
        when: { body_contains: ["forbidden-word"] }
        message: Not that word
"#;

/// Makes an index for pip and a registry for npm in the origin's folder, each with one package, and says where.
pub(crate) fn make_registry(road: &Road) -> String {
    let web = road.world.path("origin/web");
    let make = "set -e; cd $1; mkdir -p simple/tinything; cat > wheel.py <<'P'
import zipfile
z = zipfile.ZipFile('simple/tinything/tinything-1.0-py3-none-any.whl', 'w')
z.writestr('tinything.py', 'word = 42\\n')
z.writestr('tinything-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\\nName: tinything\\nVersion: 1.0\\n')
z.writestr('tinything-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')
z.writestr('tinything-1.0.dist-info/RECORD', '')
P
python3 wheel.py
echo '<a href=\"tinything-1.0-py3-none-any.whl\">tinything-1.0-py3-none-any.whl</a>' > simple/tinything/index.html
mkdir -p package npm; echo '{\"name\":\"tinything\",\"version\":\"1.0.0\"}' > package/package.json; echo 'module.exports = 42' > package/index.js
tar czf npm/tinything-1.0.0.tgz package
echo \"{\\\"name\\\":\\\"tinything\\\",\\\"dist-tags\\\":{\\\"latest\\\":\\\"1.0.0\\\"},\\\"versions\\\":{\\\"1.0.0\\\":{\\\"name\\\":\\\"tinything\\\",\\\"version\\\":\\\"1.0.0\\\",\\\"dist\\\":{\\\"tarball\\\":\\\"$2/npm/tinything-1.0.0.tgz\\\",\\\"shasum\\\":\\\"$(sha1sum npm/tinything-1.0.0.tgz | cut -d' ' -f1)\\\"}}}}\" > tinything";
    let base = road.url("origin.test", "");
    let made = road.world.command("sh").args(["-c", make, "sh", &web.display().to_string(), &base]).status().unwrap();
    assert!(made.success());
    base
}

#[test]
fn pip_and_npm_install_from_a_registry_behind_it() {
    if !have("pip_and_npm_install_from_a_registry_behind_it", &["npm", "tar", "sha1sum"]) {
        return;
    }
    let Some(clients) = clients("pip_and_npm_install_from_a_registry_behind_it") else { return };
    let Some(road) = Road::with("pip_and_npm_install_from_a_registry_behind_it", POLICY, "") else { return };
    let base = make_registry(&road);
    let python = clients.join("python/bin/python");
    road.shell(&format!(
        "{0} -m pip install -q --disable-pip-version-check --no-cache-dir --target pip --index-url {base}/simple/ tinything && PYTHONPATH=pip {0} -c 'import tinything; assert tinything.word == 42'",
        python.display()
    ))
    .expect(0);
    road.shell(&format!(
        "mkdir n && cd n && npm install --silent --no-audit --no-fund --cache ./cache --registry {base}/ tinything && node -e 'process.exit(require(\"tinything\") === 42 ? 0 : 1)'"
    ))
    .expect(0);
    let fetched = road.world.decisions();
    for end in ["tinything-1.0-py3-none-any.whl", "tinything-1.0.0.tgz"] {
        assert!(fetched.iter().any(|d| d.to_string().contains(end)), "{end} went through the proxy");
    }
}

#[test]
fn python_httpx_goes_through_also_as_a_stream() {
    let Some(clients) = clients("python_httpx_goes_through_also_as_a_stream") else { return };
    let Some(road) = Road::open("python_httpx_goes_through_also_as_a_stream") else { return };
    let script = "import httpx2 as httpx, sys
client = httpx.Client()
print(client.get(sys.argv[1]).status_code, client.get(sys.argv[2]).status_code)
with client.stream('GET', sys.argv[3]) as r:
    print([line for line in r.iter_lines() if line][0])";
    let file = road.world.write("client.py", script);
    let python = clients.join("python/bin/python");
    let urls = [("origin.test", "/1k"), ("denied.test", "/"), ("origin.test", "/events")].map(|(h, p)| road.url(h, p));
    let ran = road.shell(&format!("{} {} {}", python.display(), file.display(), urls.join(" "))).expect(0);
    assert_eq!(ran.stdout, "200 403\ndata: 0\n", "{ran:?}");
}
