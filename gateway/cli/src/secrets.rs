//! The secrets that the configuration names, read where it says they are: credentials that are put into requests, and values
//! that are followed. What goes wrong is told by the name of a secret, never with anything of its value.

mod aws;
mod renewal;

use std::{
    io::Read as _,
    path::Path,
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use anyhow::{Context as _, bail};
use http::{HeaderName, HeaderValue};
use rampart_client::wire::FollowedSecret;
use rampart_egress as egress;
use rampart_gateway::{
    Config, Home,
    config::{Credential, Followed, From},
    followed::{Kind, Placeholders, Value},
    notify::Secret,
};

pub(crate) use self::renewal::renew;
use crate::{environment::Environment, printer::Printer};

/// How long a program may take to print a secret, and how much is read of one.
const COMMAND_TIME: Duration = Duration::from_secs(10);
const LONGEST: u64 = 64 * 1024;
/// Shorter values stand in innocent text too often.
const SHORTEST: usize = 8;

/// Everything that is made of the configuration's secrets.
#[derive(Default)]
pub(crate) struct Secrets {
    /// What is put into requests.
    pub(crate) credentials: Vec<Held>,
    /// For whoever judges.
    pub(crate) followed: Vec<Value>,
    /// For sessions: variables, and the placeholders in them.
    pub(crate) placeholders: Vec<(String, String)>,
}

/// A credential with its value, and what sessions hold in its place.
#[derive(Clone)]
pub(crate) struct Held {
    credential: Credential,
    value: Secret,
    placeholder: String,
    /// Where the value is the id of keys.
    aws: Option<Aws>,
}

/// What belongs to the id of keys.
#[derive(Clone)]
struct Aws {
    secret: Secret,
    token: Option<Secret>,
    /// What sessions hold in place of the secret.
    placeholder: String,
}

/// What the egress proxy needs of them.
///
/// # Errors
/// Which one cannot be put into a request, and why.
pub(crate) fn for_proxy<'a>(held: impl IntoIterator<Item = &'a Held>) -> anyhow::Result<Vec<egress::Credential>> {
    held.into_iter().map(Held::for_proxy).collect()
}

/// Reads all of them. With `lenient`, a credential whose source gives nothing is left out with a word.
///
/// # Errors
/// Which one cannot be read, and why.
pub(crate) fn read(home: &Home, config: &Config, lenient: bool, printer: Printer) -> anyhow::Result<Secrets> {
    let mut secrets = Secrets::default();
    if !config.credentials.is_empty() {
        let key = home.state().join("placeholders.key");
        let placeholders = Placeholders::open(&key).with_context(|| format!("cannot use {}", key.display()))?;
        for credential in &config.credentials {
            match add(credential, &placeholders, &mut secrets) {
                Ok(()) => {}
                Err(why) if lenient => printer.note(format!("rampart: going on without a credential: {why:#}")),
                Err(why) => return Err(why),
            }
        }
    }
    for follow in &config.secrets.follow {
        let Followed::File(path) = &follow.from else { continue };
        let text = std::fs::read_to_string(path);
        let text = text.with_context(|| format!("secrets.follow: cannot read {}", path.display()))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut found = assignments(&text);
        if found.is_empty() {
            found.push((name.clone(), text.trim().to_owned()));
        }
        secrets.followed.extend(found.into_iter().map(|(variable, text)| Value {
            name: if variable == name { name.clone() } else { format!("{name}: {variable}") },
            text: Secret::new(text),
            hosts: follow.hosts.clone(),
            kind: Kind::Configured,
        }));
    }
    Ok(secrets)
}

fn add(credential: &Credential, placeholders: &Placeholders, into: &mut Secrets) -> anyhow::Result<()> {
    let held = Held::read(credential, placeholders).with_context(|| format!("the credential `{}`", credential.name))?;
    held.for_proxy()?;
    into.followed.extend(held.followed());
    into.placeholders.extend(held.variables());
    into.credentials.push(held);
    Ok(())
}

impl Held {
    fn read(credential: &Credential, placeholders: &Placeholders) -> anyhow::Result<Self> {
        let name = &credential.name;
        let text = source(&credential.from)?;
        if credential.signs_aws {
            let [placeholder, secret] = aws::placeholders(placeholders, name)?;
            let value = Secret::new(String::new());
            let aws = Some(Aws { secret: value.clone(), token: None, placeholder: secret });
            return Self { credential: credential.clone(), value, placeholder, aws }.with(text);
        }
        let Some(placeholder) = placeholders.of(name, &text) else {
            bail!("it is too short, or not plain ASCII: what stood for it could be innocent text");
        };
        Ok(Self { credential: credential.clone(), value: Secret::new(text), placeholder, aws: None })
    }

    /// The same with what its source gives now, and the placeholders that sessions have.
    fn with(&self, text: String) -> anyhow::Result<Self> {
        let Some(Aws { placeholder, .. }) = &self.aws else {
            return Ok(Self { value: Secret::new(text), ..self.clone() });
        };
        let aws::Keys { id, secret, token } = aws::keys(&text)?;
        let aws = Aws { secret, token, placeholder: placeholder.clone() };
        Ok(Self { value: Secret::new(id), aws: Some(aws), ..self.clone() })
    }

    /// Everything secret about it.
    fn values(&self) -> [Option<&str>; 3] {
        let aws = self.aws.as_ref();
        let token = aws.and_then(|aws| aws.token.as_ref()).map(Secret::reveal);
        [Some(self.value.reveal()), aws.map(|aws| aws.secret.reveal()), token]
    }

    /// The variables in which sessions find what stands for it.
    fn variables(&self) -> Vec<(String, String)> {
        match &self.aws {
            Some(aws) => vec![
                ("AWS_ACCESS_KEY_ID".to_owned(), self.placeholder.clone()),
                ("AWS_SECRET_ACCESS_KEY".to_owned(), aws.placeholder.clone()),
            ],
            None => self.credential.env.iter().map(|name| (name.clone(), self.placeholder.clone())).collect(),
        }
    }

    fn for_proxy(&self) -> anyhow::Result<egress::Credential> {
        let Self { credential, value, placeholder, aws } = self;
        let (name, value) = (&credential.name, value.reveal());
        let fits = |text: &str| HeaderValue::from_str(text).is_ok();
        let headers = credential.headers.iter().map(|(header, template)| {
            if !fits(&template.replace("{}", value)) {
                bail!("the credential `{name}` has characters that no header can carry");
            }
            Ok((header.parse::<HeaderName>()?, template.clone()))
        });
        if !fits(value) {
            bail!("the credential `{name}` has characters that no header can carry");
        }
        let hosts = credential
            .hosts
            .iter()
            .map(|host| host.parse().map_err(|why| anyhow::anyhow!("`hosts` of the credential `{name}`: {why}")));
        let mut echoes = rampart_scan::exchanged(value, placeholder);
        if let Some(Aws { secret, token, placeholder }) = aws {
            echoes.extend(rampart_scan::exchanged(secret.reveal(), placeholder));
            let word = format!("[credential:{name}]");
            echoes.extend(token.iter().flat_map(|token| rampart_scan::exchanged(token.reveal(), &word)));
        }
        Ok(egress::Credential {
            name: name.clone(),
            hosts: hosts.collect::<anyhow::Result<_>>()?,
            methods: credential.methods.clone(),
            paths: credential.paths.clone(),
            headers: headers.collect::<anyhow::Result<_>>()?,
            in_body: credential.body,
            anybody: credential.anybody,
            echoes,
            placeholder: placeholder.clone(),
            value: value.to_owned(),
            aws: aws.as_ref().map(|aws| egress::AwsKeys {
                secret: aws.secret.reveal().to_owned(),
                token: aws.token.as_ref().map(|token| token.reveal().to_owned()),
            }),
        })
    }

    /// For whoever judges: the values, and what stands for them. The id of keys is no secret.
    fn followed(&self) -> Vec<Value> {
        let Self { credential, value, placeholder, aws } = self;
        let placeholder = (Kind::Placeholder, Secret::new(placeholder.clone()));
        let all = match aws {
            Some(aws) => {
                let own = (Kind::Placeholder, Secret::new(aws.placeholder.clone()));
                let token = aws.token.iter().map(|token| (Kind::Credential, token.clone()));
                [placeholder, own, (Kind::Credential, aws.secret.clone())].into_iter().chain(token).collect()
            }
            None => vec![(Kind::Credential, value.clone()), placeholder],
        };
        let value = |(kind, text)| Value { name: credential.name.clone(), text, hosts: credential.hosts.clone(), kind };
        all.into_iter().map(value).collect()
    }
}

/// The value that a source gives, without the line end behind it.
fn source(from: &From) -> anyhow::Result<String> {
    let text = match from {
        From::Env(variable) => match Environment::variable(variable).map(std::ffi::OsString::into_string) {
            Some(Ok(text)) => text,
            Some(Err(_)) => bail!("{variable} is not text"),
            None => bail!("{variable} is not set where the gateway runs"),
        },
        From::File(path) => std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?,
        From::Command(words) => printed(words)?,
    };
    let text = text.trim_end_matches(['\r', '\n']);
    if text.is_empty() {
        bail!("its source gives nothing");
    }
    Ok(text.to_owned())
}

/// What a program prints within its time.
fn printed(words: &[String]) -> anyhow::Result<String> {
    let (program, rest) = words.split_first().context("`command` names no program")?;
    let mut child = Command::new(program)
        .args(rest)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot run `{program}`"))?;
    let stdout = child.stdout.take().context("a program without output")?;
    let (send, read) = mpsc::channel();
    std::thread::spawn(move || {
        let mut text = String::new();
        let _ = send.send(stdout.take(LONGEST).read_to_string(&mut text).map(|_| text));
    });
    let Ok(text) = read.recv_timeout(COMMAND_TIME) else {
        let _ = child.kill();
        let _ = child.wait();
        bail!("`{program}` printed nothing within {} seconds", COMMAND_TIME.as_secs());
    };
    let status = child.wait()?;
    if !status.success() {
        bail!("`{program}` failed ({status})");
    }
    text.with_context(|| format!("`{program}` printed something that is not text"))
}

/// The secrets of a session that begins here: from its environment, and from files of its project.
pub(crate) fn of_session(config: &Config, environment: &Environment) -> Vec<FollowedSecret> {
    let mut found = Vec::new();
    for follow in &config.secrets.follow {
        let values: Vec<(String, String)> = match &follow.from {
            Followed::Env(pattern) => Environment::variables().filter(|(name, _)| fits(pattern, name)).collect(),
            Followed::EnvFile(path) => {
                let text = read_small(&environment.workspace().join(path)).unwrap_or_default();
                assignments(&text).into_iter().filter(|(name, value)| is_secret(name, value)).collect()
            }
            Followed::File(_) => continue,
        };
        let values = values.into_iter().filter(|(_, value)| value.len() >= SHORTEST);
        found.extend(values.map(|(name, value)| FollowedSecret { name, value, hosts: follow.hosts.clone() }));
    }
    found
}

fn read_small(path: &Path) -> Option<String> {
    let file = std::fs::File::open(path).ok().filter(|f| f.metadata().is_ok_and(|meta| meta.is_file()))?;
    let mut text = String::new();
    file.take(1 << 20).read_to_string(&mut text).ok()?;
    Some(text)
}

/// `NAME=VALUE` on a line, as `.env` files have it.
fn assignments(text: &str) -> Vec<(String, String)> {
    let one = |line: &str| {
        let (name, value) = line.trim().trim_start_matches("export ").split_once('=')?;
        let plain = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
        let value = value.trim();
        let quoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
        plain.then(|| (name.to_owned(), quoted.unwrap_or(value).to_owned()))
    };
    text.lines().filter_map(one).collect()
}

/// Most of what stands in a `.env` is no secret, and following `production` would stop everything.
fn is_secret(name: &str, value: &str) -> bool {
    const WORDS: [&str; 8] = ["KEY", "TOKEN", "SECRET", "PASS", "PWD", "CREDENTIAL", "AUTH", "DSN"];
    let name = name.to_ascii_uppercase();
    WORDS.iter().any(|word| name.contains(word)) || !rampart_scan::scan(&format!("{name}={value}")).is_empty()
}

/// Whether a name is what a pattern says, in which `*` is any text.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(name) = name.strip_prefix(begin) else { return false };
    (0..=name.len()).filter(|at| name.is_char_boundary(*at)).any(|at| fits(rest, name.get(at..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_assignments_is_read_as_tools_read_it() {
        let text = "# comment\nA=1\nexport B = x\nC=\"quo ted\"\nD='x=y'\n\nE=\nnot one\n";
        let got: Vec<_> = assignments(text).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(got, ["A=1", "C=quo ted", "D=x=y", "E="]);
    }

    #[test]
    fn names_fit_patterns() {
        for (pattern, name, expected) in [
            ("*_TOKEN", "GH_TOKEN", true),
            ("*_TOKEN", "TOKEN", false),
            ("STRIPE_*", "STRIPE_KEY", true),
            ("A*B*C", "AxBBC", true),
            ("PATH", "PATHS", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
        assert!(is_secret("DB_PASSWORD", "x") && !is_secret("NODE_ENV", "production"));
    }

    #[test]
    fn a_program_gives_what_it_prints_or_says_what_went_wrong() {
        let run = |words: &[&str]| printed(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
        assert_eq!(run(&["printf", "abc"]).unwrap(), "abc");
        assert!(run(&["false"]).unwrap_err().to_string().contains("failed"));
        assert!(run(&["/nonexistent/program"]).unwrap_err().to_string().contains("cannot run"));
    }
}
