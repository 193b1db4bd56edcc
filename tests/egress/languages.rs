//! Clients of other languages and clouds under `rampart wrap`: Ruby, Deno, the AWS command line. Each goes through the proxy
//! with its TLS opened, and says of a refusal what it can.

use super::{POLICY, Road};
use crate::world::{Ran, clients, have};

/// A shell command under `rampart wrap`.
fn wrapped(road: &Road, command: &str) -> Ran {
    let mut wrap = road.world.rampart(&["wrap", "--agent", "tester", "--", "sh", "-c", command]);
    Ran::from(wrap.output().unwrap())
}

/// How often a request with this in its URL is on record with that outcome, seen inside its TLS.
fn seen(road: &Road, end: &str, outcome: &str) -> usize {
    let is = |d: &serde_json::Value| {
        let url = d["action"]["url"].as_str().unwrap_or_default();
        d["outcome"] == outcome
            && d["actor"]["surface"] == "egress"
            && url.starts_with("https://")
            && url.ends_with(end)
    };
    let all = road.world.decisions();
    all.iter().filter(|d| is(d)).inspect(|d| assert_eq!(d["actor"]["agent"], "tester", "{d:#}")).count()
}

#[test]
fn rubys_own_clients_go_through() {
    if !have("rubys_own_clients_go_through", &["ruby"]) {
        return;
    }
    let Some(road) = Road::open("rubys_own_clients_go_through") else { return };
    let script = "require 'net/http'; require 'open-uri'
ARGV.each do |url|
  answer = Net::HTTP.get_response(URI(url))
  puts \"#{answer.code} #{answer.body.size} #{answer['x-rampart-rule']}\"
  begin
    puts URI.open(url).read.size
  rescue OpenURI::HTTPError => e
    puts e.message
  end
end";
    let file = road.world.write("get.rb", script);
    let [good, bad] = ["origin.test", "denied.test"].map(|host| road.url(host, "/1k"));
    let ran = wrapped(&road, &format!("ruby {} {good} {bad}", file.display())).expect(0);
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert_eq!(lines[..2], ["200 1024 ", "1024"], "{ran:?}");
    assert!(lines[2].starts_with("403 ") && lines[2].ends_with(" no-denied-test"), "{ran:?}");
    assert_eq!(lines[3], "403 Forbidden: This host is off limits (Rampart: no-denied-test)", "{ran:?}");
    assert_eq!((seen(&road, "/1k", "allow"), seen(&road, "/1k", "deny")), (2, 2));
    // Its package manager.
    let ran = wrapped(&road, &format!("gem fetch tinything --clear-sources --source {}/", road.url("denied.test", "")));
    assert!(ran.stderr.contains("403") && ran.stderr.contains("This host is off limits"), "{ran:?}");
}

#[test]
fn deno_goes_through_with_requests_sockets_and_imports() {
    let test = "deno_goes_through_with_requests_sockets_and_imports";
    let Some(clients) = clients(test) else { return };
    let Some(road) = Road::open(test) else { return };
    let deno = clients.join("node_modules/@deno/linux-x64-glibc/deno");
    let script = "const [good, bad] = Deno.args;
for (const url of [good, bad]) {
  const answer = await fetch(url);
  console.log(answer.status, (await answer.text()).length, answer.headers.get('x-rampart-rule'));
}
const { get } = await import('node:https');
await new Promise((done) => get(good, (answer) => { console.log(answer.statusCode); answer.resume().on('end', done); }));
const socket = new WebSocket(good.replace('https:', 'wss:').replace('1k', 'ws'));
socket.onopen = () => socket.send('hello');
socket.onmessage = (e) => { console.log(e.data); socket.close(); };
";
    let file = road.world.write("get.js", script);
    let [good, bad] = ["origin.test", "denied.test"].map(|host| road.url(host, "/1k"));
    let run = format!("{} run --quiet --allow-all", deno.display());
    let ran = wrapped(&road, &format!("{run} {} {good} {bad}", file.display())).expect(0);
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert_eq!([lines[0], lines[2], lines[3]], ["200 1024 null", "200", "hello"], "{ran:?}");
    assert!(lines[1].starts_with("403 ") && lines[1].ends_with(" no-denied-test"), "{ran:?}");
    assert_eq!((seen(&road, "/1k", "allow"), seen(&road, "/1k", "deny")), (2, 1));
    // What a program is made of comes the same way.
    road.world.write("origin/web/word.js", "export const word = 42;\n");
    for (host, code) in [("origin.test", 0), ("denied.test", 1)] {
        let import = format!("import {{ word }} from '{}'; console.log(word);", road.url(host, "/word.js"));
        let file = road.world.write("import.js", import);
        let ran = wrapped(&road, &format!("{run} {}", file.display())).expect(code);
        assert!(if code == 0 { ran.stdout == "42\n" } else { ran.stderr.contains("403 Forbidden") }, "{ran:?}");
    }
    assert_eq!((seen(&road, "/word.js", "allow"), seen(&road, "/word.js", "deny")), (1, 1));
}

#[test]
fn the_aws_command_line_goes_through_and_shows_why_not() {
    let test = "the_aws_command_line_goes_through_and_shows_why_not";
    let Some(clients) = clients(test) else { return };
    let Some(road) = Road::with(test, POLICY, "") else { return };
    road.world.write(
        "origin/web/index.html",
        "<ListAllMyBucketsResult><Buckets><Bucket><Name>mine</Name><CreationDate>2026-01-01T00:00:00Z</CreationDate></Bucket></Buckets></ListAllMyBucketsResult>",
    );
    let keys = "AWS_ACCESS_KEY_ID=a AWS_SECRET_ACCESS_KEY=b AWS_DEFAULT_REGION=us-east-1 AWS_MAX_ATTEMPTS=1";
    let aws = |host: &str, what: &str| {
        let program = clients.join("python/bin/aws");
        wrapped(&road, &format!("{keys} {} --endpoint-url {} {what}", program.display(), road.url(host, "")))
    };
    let ran = aws("origin.test", "s3 ls").expect(0);
    assert!(ran.stdout.ends_with(" mine\n"), "{ran:?}");
    // Of each of the forms that its services have for errors.
    for what in
        ["s3 ls", "s3 cp s3://mine/x -", "sts get-caller-identity", "dynamodb list-tables", "lambda list-functions"]
    {
        let ran = aws("denied.test", what);
        // Of what has no body it shows the number.
        let shown = if what.contains(" cp ") { "403" } else { "This host is off limits" };
        assert!(ran.code != Some(0) && ran.stderr.contains(shown), "{what}: {ran:?}");
    }
    assert_eq!((seen(&road, "/", "allow"), seen(&road, "/mine/x", "deny")), (1, 1));
}
