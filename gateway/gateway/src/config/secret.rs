//! `credentials` and `secrets` of `config.yaml`: what an agent never holds, and what is followed.

use std::{path::PathBuf, time::Duration};

use serde::Deserialize;

use super::source::{Reader, Word, absolute, choice, duration};

/// A secret that the egress proxy puts into requests. An agent holds a placeholder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// What people and records call it.
    pub name: String,
    /// Where its value is read.
    pub from: From,
    /// How often a program is asked for its value again.
    pub renew: Option<Duration>,
    /// It is the keys of AWS, with which requests are signed (Signature Version 4).
    pub signs_aws: bool,
    /// The hosts that it may go to: `host` or `*.host`, in lower case.
    pub hosts: Vec<String>,
    /// Only with these methods, in upper case; empty: with any.
    pub methods: Vec<String>,
    /// Only to these paths, where `*` is any text; empty: to any.
    pub paths: Vec<String>,
    /// Headers that every such request gets; `{}` is the value.
    pub headers: Vec<(String, String)>,
    /// The variable in which sessions find the placeholder.
    pub env: Option<String>,
    /// Also in bodies that are JSON or a form.
    pub body: bool,
    /// Also for clients that show no credential of a session.
    pub anybody: bool,
}

/// Where a value is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum From {
    /// A variable of the gateway's own environment.
    Env(String),
    /// A file that holds it and nothing else.
    File(PathBuf),
    /// A program that prints it.
    Command(Vec<String>),
}

/// What is followed besides the credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secrets {
    /// Secrets that agents get to see are followed.
    pub seen: bool,
    /// Hosts that every followed secret may go to.
    pub hosts: Vec<String>,
    /// Sources whose values are followed.
    pub follow: Vec<Follow>,
}

impl Default for Secrets {
    fn default() -> Self {
        Self { seen: true, hosts: Vec::new(), follow: Vec::new() }
    }
}

/// A source of secrets and the hosts that they may go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Follow {
    /// The source.
    pub from: Followed,
    /// The hosts: `host` or `*.host`, in lower case.
    pub hosts: Vec<String>,
}

/// A source of secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Followed {
    /// Variables of a session's environment whose name fits, where `*` is any text.
    Env(String),
    /// A file of assignments in the project of a session, such as `.env`.
    EnvFile(PathBuf),
    /// A file: the values that are assigned in it, or all of it.
    File(PathBuf),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CredentialSource {
    name: Word,
    from: FromSource,
    renew: Option<Word>,
    sign: Option<Word>,
    hosts: Vec<Word>,
    #[serde(default)]
    methods: Vec<Word>,
    #[serde(default)]
    paths: Vec<Word>,
    #[serde(default)]
    headers: std::collections::BTreeMap<String, Word>,
    env: Option<Word>,
    body: Option<Word>,
    anybody: Option<Word>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FromSource {
    env: Option<Word>,
    file: Option<Word>,
    command: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct SecretsSource {
    seen: Option<Word>,
    hosts: Vec<Word>,
    follow: Vec<FollowSource>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FollowSource {
    env: Option<Word>,
    env_file: Option<Word>,
    file: Option<Word>,
    hosts: Vec<Word>,
}

const A_HOST: &str = "a host such as `api.example.com`, or `*.example.com`";
const ONE_SOURCE: &str = "one of `env`, `file` and `command`";

pub(super) fn credential(source: CredentialSource, reader: &mut Reader<'_>) -> Option<Credential> {
    let CredentialSource { name, from, renew, sign, hosts, methods, paths, headers, env, body, anybody } = source;
    let at = name.clone();
    let name = reader.value(&name, simple_name, "letters, digits, `-` and `_`")?;
    let variable = "the name of a variable";
    let file = "the absolute path of a file";
    let from = match (from.env, from.file, from.command) {
        (Some(word), None, None) => From::Env(reader.value(&word, variable_name, variable)?),
        (None, Some(word), None) => From::File(reader.value(&word, absolute, file)?),
        (None, None, Some(command)) if !command.is_empty() => From::Command(command),
        _ => {
            reader.wrong_at(&at, format!("`from` of `{name}` is not one source"), ONE_SOURCE);
            return None;
        }
    };
    if hosts.is_empty() {
        reader.wrong_at(&at, format!("`{name}` is bound to no host"), A_HOST);
    }
    if renew.is_some() && !matches!(from, From::Command(_)) {
        let why = format!("`renew` of `{name}` asks a program again, and it is from none");
        reader.wrong_at(&at, why, "`from: {command: [..]}`, or no `renew`: a file is read again when it changes");
    }
    if sign.is_some() && (env.is_some() || body.is_some() || !headers.is_empty()) {
        let why = format!("`{name}` signs, so it stands in no header, body or variable");
        reader.wrong_at(&at, why, "`sign` without `headers`, `body` and `env`");
    }
    let mut credential = Credential {
        name,
        from,
        renew: None,
        signs_aws: false,
        hosts: Vec::new(),
        methods: Vec::new(),
        paths: Vec::new(),
        headers: Vec::new(),
        env: None,
        body: false,
        anybody: false,
    };
    reader.read(
        renew,
        |word| duration(word).map(Some),
        "a time such as `45m`, from `1s` to `24h`",
        &mut credential.renew,
    );
    reader.read(sign, |word| (word == "aws-sigv4").then_some(true), "`aws-sigv4`", &mut credential.signs_aws);
    reader.read_all(hosts, host, A_HOST, &mut credential.hosts);
    let method = |word: &str| word.bytes().all(|b| b.is_ascii_alphabetic()).then(|| word.to_ascii_uppercase());
    reader.read_all(methods, method, "a method such as `GET`", &mut credential.methods);
    let path = |word: &str| word.starts_with(['/', '*']).then(|| word.to_owned());
    reader.read_all(paths, path, "a path such as `/v1/*`", &mut credential.paths);
    for (name, template) in headers {
        let fits =
            |word: &str| (word.matches("{}").count() == 1 && !word.contains(['\r', '\n'])).then(|| word.to_owned());
        let template = reader.value(&template, fits, "a text with `{}` where the value goes, such as `Bearer {}`");
        match (http::HeaderName::try_from(name.as_str()), template) {
            (Ok(name), Some(template)) => credential.headers.push((name.as_str().to_owned(), template)),
            (Err(_), _) => {
                reader.wrong_at(&at, format!("`{name}` is not the name of a header"), "`authorization: Bearer {}`");
            }
            _ => {}
        }
    }
    reader.read(env, |word| variable_name(word).map(Some), variable, &mut credential.env);
    reader.read(body, |word| choice(word, "true", "false"), "`true` or `false`", &mut credential.body);
    reader.read(anybody, |word| choice(word, "true", "false"), "`true` or `false`", &mut credential.anybody);
    Some(credential)
}

pub(super) fn secrets(source: SecretsSource, reader: &mut Reader<'_>) -> Secrets {
    let mut secrets = Secrets::default();
    reader.read(source.seen, |word| choice(word, "follow", "ignore"), "`follow` or `ignore`", &mut secrets.seen);
    reader.read_all(source.hosts, host, A_HOST, &mut secrets.hosts);
    for FollowSource { env, env_file, file, hosts } in source.follow {
        let mut bound = Vec::new();
        reader.read_all(hosts, host, A_HOST, &mut bound);
        let pattern = |word: &str| variable_name(&word.replace('*', "x")).map(|_| word.to_owned());
        let inside = |word: &str| {
            let path = PathBuf::from(word);
            let plain = path.components().all(|c| matches!(c, std::path::Component::Normal(_)));
            (plain && !word.is_empty()).then_some(path)
        };
        let from = match (env, env_file, file) {
            (Some(word), None, None) => {
                reader.value(&word, pattern, "the name of a variable, where `*` is any text").map(Followed::Env)
            }
            (None, Some(word), None) => {
                reader.value(&word, inside, "a path inside the project such as `.env`").map(Followed::EnvFile)
            }
            (None, None, Some(word)) => {
                reader.value(&word, absolute, "the absolute path of a file").map(Followed::File)
            }
            (a, b, c) => {
                if let Some(word) = a.or(b).or(c) {
                    reader.wrong_at(
                        &word,
                        "this is more than one source".to_owned(),
                        "one of `env`, `env_file` and `file`",
                    );
                } else {
                    reader.refuse(None, "an entry of `secrets.follow` names no source".to_owned(), None);
                }
                None
            }
        };
        secrets.follow.extend(from.map(|from| Follow { from, hosts: bound }));
    }
    secrets
}

fn simple_name(word: &str) -> Option<String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (!word.is_empty() && word.len() <= 64 && word.bytes().all(plain)).then(|| word.to_owned())
}

fn variable_name(word: &str) -> Option<String> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let begins = word.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    (begins && word.bytes().all(plain)).then(|| word.to_owned())
}

fn host(word: &str) -> Option<String> {
    let name = word.strip_prefix("*.").unwrap_or(word);
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b);
    (!name.is_empty() && name.bytes().all(plain)).then(|| word.trim_end_matches('.').to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use crate::Config;

    #[test]
    fn credentials_and_what_is_followed_are_read() {
        let text = "
credentials:
  - name: github
    from: { command: [gh, auth, token] }
    hosts: [API.github.com, '*.githubusercontent.com']
    methods: [get]
    paths: ['/repos/*']
    headers: { Authorization: 'Bearer {}' }
    env: GITHUB_TOKEN
  - { name: x, from: { env: X_KEY }, hosts: [x.example], anybody: true }
  - { name: aws, from: { command: [keys] }, renew: 45m, sign: aws-sigv4, hosts: ['*.amazonaws.com'] }
secrets:
  seen: ignore
  hosts: ['*.corp.example']
  follow:
    - { env: '*_TOKEN', hosts: [api.example] }
    - { env_file: .env }
    - { file: /etc/key }
";
        let config = Config::parse(text, "config.yaml").unwrap();
        let [github, x, aws] = config.credentials.as_slice() else { panic!("{config:?}") };
        assert_eq!(github.hosts, ["api.github.com", "*.githubusercontent.com"]);
        assert_eq!((github.methods.as_slice(), github.env.as_deref()), (&["GET".to_owned()][..], Some("GITHUB_TOKEN")));
        assert_eq!(github.headers, [("authorization".to_owned(), "Bearer {}".to_owned())]);
        assert!(x.anybody && x.from == super::From::Env("X_KEY".into()));
        assert!(aws.signs_aws && aws.renew == Some(std::time::Duration::from_mins(45)));
        assert!(!config.secrets.seen && config.secrets.follow.len() == 3);
    }

    #[test]
    fn what_makes_no_sense_is_told_with_its_place() {
        for (text, words) in [
            ("credentials: [{ name: a, from: { env: A, file: /x }, hosts: [x.io] }]", "not one source"),
            ("credentials: [{ name: a, from: {}, hosts: [x.io] }]", "not one source"),
            ("credentials: [{ name: a, from: { env: A }, hosts: [] }]", "bound to no host"),
            ("credentials: [{ name: a, from: { env: A }, hosts: ['https://x.io/'] }]", "not a value"),
            ("credentials: [{ name: 'a b', from: { env: A }, hosts: [x.io] }]", "not a value"),
            ("credentials: [{ name: a, from: { env: A }, hosts: [x.io], headers: { x: Bearer } }]", "not a value"),
            (
                "credentials: [{ name: a, from: { env: A }, hosts: [x.io], headers: { 'x y': '{}' } }]",
                "name of a header",
            ),
            ("credentials: [{ name: a, from: { env: A }, hosts: [x.io], value: secret }]", "unknown"),
            ("credentials: [{ name: a, from: { env: A }, hosts: [x.io], renew: 1m }]", "from none"),
            ("credentials: [{ name: a, from: { command: [k] }, hosts: [x.io], renew: soon }]", "not a value"),
            ("credentials: [{ name: a, from: { env: A }, hosts: [x.io], sign: sha1 }]", "not a value"),
            ("credentials: [{ name: a, from: { env: A }, hosts: [x.io], sign: aws-sigv4, env: B }]", "it stands in no"),
            ("secrets: { follow: [{ env: A, file: /x }] }", "more than one source"),
            ("secrets: { follow: [{ hosts: [x.io] }] }", "names no source"),
            ("secrets: { follow: [{ env_file: ../.env }] }", "not a value"),
            ("secrets: { seen: maybe }", "not a value"),
        ] {
            let wrong = Config::parse(text, "config.yaml").unwrap_err();
            let said = wrong.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
            assert!(said.contains(words), "{text}: {said}");
        }
    }
}
