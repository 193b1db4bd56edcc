//! Requests to AWS, which are signed: agents sign with placeholders, and the services, which check with AWS's own library, get the
//! signature of the real keys.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
};

use super::{POLICY, Road};
use crate::world::{Ran, clients, root};

const ID: &str = "AKIA4HQZ7WN2RT5XK3PL";
const SECRET: &str = "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";

struct Aws {
    road: Road,
    service: Child,
    url: String,
    program: String,
    kept: tempfile::TempDir,
}

impl Aws {
    fn open(test: &str) -> Option<Self> {
        let clients = clients(test)?;
        let kept = tempfile::tempdir().unwrap();
        let keys = kept.path().join("keys");
        std::fs::write(&keys, written(ID, SECRET, None)).unwrap();
        let more = format!(
            "  allow_private: [localhost]\ncredentials:\n  - name: cloud\n    from: {{ file: {} }}\n    sign: aws-sigv4\n    hosts: [origin.test]\n",
            keys.display()
        );
        let road = Road::with(test, POLICY, &more)?;
        let mut service = road.world.command(clients.join("python/bin/python"));
        service.arg(root().join("tests/clients/aws.py")).arg(road.world.path("origin")).arg(&keys);
        let mut service = service.stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(service.stdout.take().unwrap()).read_line(&mut port).unwrap();
        let url = format!("https://origin.test:{}", port.trim());
        let program = clients.join("python/bin/aws").display().to_string();
        Some(Self { road, service, url, program, kept })
    }

    /// The command line, in a session.
    fn run(&self, words: &str) -> Ran {
        let Self { program, url, .. } = self;
        let surroundings = "export AWS_DEFAULT_REGION=us-east-1 AWS_MAX_ATTEMPTS=1 AWS_EC2_METADATA_DISABLED=true AWS_CONFIG_FILE=$PWD/aws";
        // Without it, it signs URLs as nobody should any more.
        self.road.world.write("project/aws", "[default]\ns3 =\n  signature_version = s3v4\n");
        self.road.shell(&format!("{surroundings}; aws() {{ {program} --endpoint-url {url} \"$@\"; }}; {words}"))
    }

    fn change_keys(&self, id: &str, secret: &str, token: Option<&str>) {
        std::fs::write(self.kept.path().join("keys"), written(id, secret, token)).unwrap();
    }
}

impl Drop for Aws {
    fn drop(&mut self) {
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}

/// As `aws configure` writes them.
fn written(id: &str, secret: &str, token: Option<&str>) -> String {
    let token = token.map(|token| format!("aws_session_token = {token}\n")).unwrap_or_default();
    format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n{token}")
}

#[test]
fn requests_to_aws_are_signed_with_keys_that_the_agent_does_not_hold() {
    let Some(aws) = Aws::open("requests_to_aws_are_signed_with_keys_that_the_agent_does_not_hold") else { return };
    let held = aws.run("echo $AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY").expect(0).stdout;
    let (id, secret) = held.trim().split_once(' ').unwrap();
    assert!(id.starts_with("AKIA") && id.len() == ID.len() && id != ID, "{held}");
    assert!(secret.len() == SECRET.len() && secret != SECRET, "{held}");
    // Each of the protocols, and a service that says the id again.
    let who = aws.run("aws sts get-caller-identity").expect(0).stdout;
    assert!(who.contains("user/agent") && who.contains(id) && !who.contains(ID), "{who}");
    assert!(aws.run("aws dynamodb list-tables").expect(0).stdout.contains("mine"));
    aws.run("aws lambda list-functions").expect(0);
    // Objects, whose bodies are signed, not signed, and in pieces; with a name that is written with escapes.
    let back = aws
        .run("head -c 300000 /dev/zero > zeros; aws s3 cp zeros 's3://b/a b+c' && aws s3 cp 's3://b/a b+c' - | wc -c");
    assert_eq!(back.expect(0).stdout.lines().last().unwrap().trim(), "300000");
    let small =
        "aws s3api put-object --bucket b --key k --body zeros && curl -sS \"$(aws s3 presign s3://b/k)\" | wc -c";
    assert_eq!(aws.run(small).expect(0).stdout.lines().last().unwrap().trim(), "300000", "a presigned URL");
    // Keys that end bring their token, and those that are renewed are used.
    aws.change_keys("ASIA5JRYX8XO3SU6YL4Q", &SECRET.replace('q', "Z"), Some("IQoJb3JpZ2luX2VjEXAMPLE/token+of=one"));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while aws.run("aws dynamodb list-tables").code != Some(0) {
        assert!(std::time::Instant::now() < deadline, "{}", aws.road.world.gateway_log());
    }
    let kept = aws.road.world.gateway_log() + &serde_json::to_string(&aws.road.world.records()).unwrap();
    assert!(
        !kept.contains(SECRET) && !kept.contains(&SECRET.replace('q', "Z")) && !kept.contains("/token+of=one"),
        "{kept}"
    );
    assert!(kept.contains("X-Amz-Credential=credential:"), "{kept}");
    // Elsewhere nothing is signed, and what stands for the keys does not go.
    let port = aws.road.port;
    let elsewhere =
        format!("export NO_PROXY= no_proxy=; {} --endpoint-url https://localhost:{port} s3 ls", aws.program);
    let ran = aws.run(&elsewhere);
    assert!(ran.code != Some(0) && ran.stderr.contains("cloud"), "{ran:?}");
}
