//! What `rampart run` confines agents to: `jail`.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::source::{Reader, Word, absolute};

/// What an agent in a jail may touch besides its project, and what becomes of one that cannot be jailed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jail {
    /// Files and folders that it finds empty and closed besides the usual ones.
    pub hide: Vec<Place>,
    /// Usual ones that it finds as they are.
    pub show: Vec<Place>,
    /// Files and folders that it may change.
    pub allow_write: Vec<Place>,
    /// Sockets of other programs that it may connect to.
    pub allow_sockets: Vec<Place>,
    /// What to do where a kernel or a container does not have everything that it takes.
    pub without: Without,
}

/// An absolute path, or one below the user's home (`~/`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(String);

impl Place {
    /// Whether it is a folder in which programs keep what they have fetched: one of those that are allowed where nothing is said.
    pub fn is_cache(&self) -> bool {
        WRITABLE.contains(&&*self.0)
    }

    fn parse(word: &str) -> Option<Self> {
        let is_place = word.strip_prefix("~/").is_some_and(|rest| !rest.is_empty()) || absolute(word).is_some();
        is_place.then(|| Self(word.trim_end_matches('/').to_owned()))
    }

    /// Where it is for the user with this home.
    pub fn below(&self, home: &Path) -> PathBuf {
        self.0.strip_prefix("~/").map_or_else(|| PathBuf::from(&self.0), |rest| home.join(rest))
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What to do where no whole jail can be made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Without {
    /// Not to run the agent.
    #[default]
    Refuse,
    /// To restrict its files and system calls alone; its network is the host's.
    Files,
    /// To run it with what else there is.
    Run,
}

impl Without {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Refuse, Self::Files, Self::Run];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Files => "files",
            Self::Run => "run",
        }
    }
}

/// Keys and what opens things, and the profiles of programs that hold them. What may hold secrets but is read by tools all
/// the time (`.npmrc`, shell histories) is for the rules about files.
const HIDDEN: [&str; 49] = [
    "~/.ssh",
    "~/.gnupg",
    "~/.aws",
    "~/.azure",
    "~/.config/gcloud",
    "~/.kube",
    "~/.docker",
    "~/.config/containers",
    "~/.config/gh",
    "~/.config/glab-cli",
    "~/.config/hub",
    "~/.config/git/credentials",
    "~/.git-credentials",
    "~/.netrc",
    "~/.authinfo",
    "~/.authinfo.gpg",
    "~/.pypirc",
    "~/.cargo/credentials",
    "~/.cargo/credentials.toml",
    "~/.gem/credentials",
    "~/.config/composer/auth.json",
    "~/.config/doctl",
    "~/.config/hcloud",
    "~/.config/heroku",
    "~/.config/netlify",
    "~/.config/rclone",
    "~/.config/sops",
    "~/.fly",
    "~/.oci",
    "~/.pulumi",
    "~/.terraform.d",
    "~/.vault-token",
    "~/.databrickscfg",
    "~/.cache/huggingface/token",
    "~/.pgpass",
    "~/.my.cnf",
    "~/.mylogin.cnf",
    "~/.password-store",
    "~/.local/share/keyrings",
    "~/.local/share/kwalletd",
    "~/.config/op",
    "~/.config/Bitwarden",
    "~/.config/google-chrome",
    "~/.config/chromium",
    "~/.mozilla",
    "~/.thunderbird",
    "~/.bitcoin",
    "~/.ethereum",
    "~/.config/solana",
];

/// Caches, without which package managers do not work.
const WRITABLE: [&str; 2] = ["~/.cache", "~/.npm"];

impl Default for Jail {
    fn default() -> Self {
        Self {
            hide: Vec::new(),
            show: Vec::new(),
            allow_write: places(&WRITABLE).collect(),
            allow_sockets: Vec::new(),
            without: Without::Refuse,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct JailSource {
    hide: Vec<Word>,
    show: Vec<Word>,
    allow_write: Vec<Word>,
    allow_sockets: Vec<Word>,
    without: Option<Word>,
}

fn places(list: &[&str]) -> impl Iterator<Item = Place> {
    list.iter().map(|place| Place((*place).to_owned()))
}

impl Jail {
    /// Everything that is hidden.
    pub fn hidden(&self) -> impl Iterator<Item = Place> {
        places(&HIDDEN).chain(self.hide.iter().cloned()).filter(|place| !self.show.contains(place))
    }

    pub(super) fn read(&mut self, source: JailSource, reader: &mut Reader<'_>) {
        const WANTED: &str = "an absolute path, or one that begins with `~/`";
        reader.read_all(source.hide, Place::parse, WANTED, &mut self.hide);
        for word in &source.show {
            let Some(place) = reader.value(word, Place::parse, WANTED) else { continue };
            if !self.hidden().any(|hidden| hidden == place) {
                let usual = "one of the places that docs/jail.md lists, as it stands there";
                reader.wrong_at(word, format!("`{place}` is not hidden as a whole"), usual);
            }
            self.show.push(place);
        }
        reader.read_all(source.allow_write, Place::parse, WANTED, &mut self.allow_write);
        reader.read_all(source.allow_sockets, Place::parse, WANTED, &mut self.allow_sockets);
        let known = |word: &str| Without::ALL.into_iter().find(|choice| choice.as_str() == word);
        reader.read(source.without, known, "`refuse`, `files` or `run`", &mut self.without);
    }
}
