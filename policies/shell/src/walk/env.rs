//! What a shell remembers from one command to the next.

use std::collections::HashMap;

use crate::value::{Arg, Flow, Taint};

/// Variables, functions, aliases, the working directory, and what was written to files.
#[derive(Debug, Clone, Default)]
pub(crate) struct Env {
    /// Every value a variable may have: the elements of an array, the words of a loop, or the values of several branches.
    pub(crate) variables: HashMap<String, Vec<Arg>>,
    pub(crate) positional: Vec<Arg>,
    pub(crate) functions: HashMap<String, Function>,
    pub(crate) aliases: HashMap<String, String>,
    /// Variables that stand for another (`declare -n`).
    pub(crate) references: HashMap<String, String>,
    /// Normalised; relative to an unknown directory where it does not begin with `/` or `~`.
    pub(crate) cwd: Option<String>,
    pub(crate) directories: Vec<Option<String>>,
}

impl Env {
    /// How much there is to copy.
    pub(crate) fn size(&self) -> usize {
        self.variables.len() + self.functions.len() + self.aliases.len()
    }
}

/// A function's body, read when it is called.
#[derive(Debug, Clone)]
pub(crate) struct Function {
    pub(crate) body: String,
    /// Where the body begins in the command line; none where it was itself computed.
    pub(crate) start: usize,
}

/// A file that the same command line wrote.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) flow: Flow,
    /// The program it is a copy of.
    pub(crate) program: Option<String>,
}

/// What a variable holds that nobody assigned.
pub(crate) enum Inherited<'a> {
    Text(&'a str),
    Unknown(Taint),
}

/// What the environment usually says of a variable.
pub(crate) fn inherited<'a>(name: &str, home: Option<&'a str>, cwd: Option<&'a str>) -> Inherited<'a> {
    match name {
        "HOME" => Inherited::Text(home.unwrap_or("~")),
        "RAMPART_HOME" => Inherited::Text("~/.rampart"),
        "PWD" => Inherited::Text(cwd.unwrap_or(".")),
        "TMPDIR" | "TMP" | "TEMP" => Inherited::Text("/tmp"),
        "PATH" => Inherited::Text("/usr/local/bin:/usr/bin:/bin"),
        "SHELL" | "BASH" => Inherited::Text("/bin/bash"),
        "IFS" => Inherited::Text(" \t\n"),
        // where a container of ECS, or an app of Azure, asks for its credentials
        "ECS_CONTAINER_METADATA_URI" | "ECS_CONTAINER_METADATA_URI_V4" | "AWS_CONTAINER_CREDENTIALS_FULL_URI" => {
            Inherited::Text("http://169.254.170.2/v4")
        }
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI" => Inherited::Text("/v2/credentials"),
        "IDENTITY_ENDPOINT" | "MSI_ENDPOINT" => Inherited::Text("http://169.254.169.254/msi/token"),
        // PowerShell's
        "env:USERPROFILE" | "env:HOME" | "env:HOMEPATH" => Inherited::Text("C:/Users/user"),
        "env:APPDATA" => Inherited::Text("C:/Users/user/AppData/Roaming"),
        "env:LOCALAPPDATA" => Inherited::Text("C:/Users/user/AppData/Local"),
        "env:SystemRoot" | "env:windir" => Inherited::Text("C:/Windows"),
        "env:TEMP" | "env:TMP" => Inherited::Text("C:/Windows/Temp"),
        "PROFILE" => Inherited::Text("~/Documents/PowerShell/profile.ps1"),
        _ if is_secret_name(name) => Inherited::Unknown(Taint::TOKEN),
        _ => Inherited::Unknown(Taint::NONE),
    }
}

/// Whether `text` names a variable: of letters, or a function that a shell takes from its environment.
pub(crate) fn is_variable_name(text: &str) -> bool {
    let plain = |name: &str| !name.is_empty() && name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric());
    plain(text) || text.starts_with("BASH_FUNC_") && text.ends_with(['%', ')'])
}

/// Whether a variable's name says that its value is a secret.
pub(crate) fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let last = name.rsplit('_').next().unwrap_or("");
    matches!(
        last,
        "TOKEN" | "SECRET" | "PASSWORD" | "PASSWD" | "PASS" | "PAT" | "CREDENTIAL" | "CREDENTIALS" | "APIKEY"
    ) || ["SECRET_", "_SECRET", "API_KEY", "ACCESS_KEY", "PRIVATE_KEY", "AUTH_TOKEN", "PASSPHRASE"]
        .iter()
        .any(|piece| name.contains(piece))
        || name.ends_with("_KEY") && !name.ends_with("PUBLIC_KEY") && !name.ends_with("PUB_KEY")
        || matches!(name.as_str(), "PGPASSWORD" | "MYSQL_PWD" | "SSHPASS")
}

impl super::Walk<'_> {
    /// What a variable holds for the program that is being run, where this command line says so.
    pub(crate) fn told_by_variable(&self, name: &str) -> Option<&Arg> {
        let given = self.given.iter().rfind(|(variable, _)| variable == name).map(|(_, value)| value);
        given.or_else(|| match self.env.variables.get(name)?.as_slice() {
            [one] => Some(one),
            _ => None,
        })
    }
}
