//! The lock file: what a server offered when somebody looked at it, to be compared with what it offers now.

use std::collections::{BTreeMap, btree_map::Entry};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Catalogue, Item, Section};

const VERSION: u32 = 1;

/// What one server offered: by section, by name.
pub type Offered = BTreeMap<String, BTreeMap<String, Pinned>>;

/// What servers offered.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    version: u32,
    /// By the name that policy knows the server by. A section that nobody has looked at is missing.
    servers: BTreeMap<String, Offered>,
}

/// One thing that a server offered.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Pinned {
    /// [`Item::hash`].
    sha256: String,
    /// What the server said of it, for people who review a change.
    definition: Value,
    /// What it says in another era of the protocol, where that differs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    also: Vec<Pinned>,
}

impl Pinned {
    /// The usual definition.
    pub fn definition(&self) -> &Value {
        &self.definition
    }

    /// Whether this is one of the definitions.
    pub fn holds(&self, sha256: &str) -> bool {
        self.sha256 == sha256 || self.also.iter().any(|other| other.sha256 == sha256)
    }

    /// The hashes of all definitions.
    pub fn hashes(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.sha256.as_str()).chain(self.also.iter().map(|other| other.sha256.as_str()))
    }

    /// All definitions, the usual one first.
    pub fn definitions(&self) -> impl Iterator<Item = &Value> {
        std::iter::once(&self.definition).chain(self.also.iter().map(|other| &other.definition))
    }

    fn is_whole(&self) -> bool {
        self.sha256 == hash(&self.definition) && self.also.iter().all(Self::is_whole)
    }
}

impl From<&Item> for Pinned {
    fn from(item: &Item) -> Self {
        Self { sha256: item.hash(), definition: item.definition.clone(), also: Vec::new() }
    }
}

/// A lock file that means nothing.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It is not the JSON of a lock.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// It is of a later version.
    #[error("it is of version {0}; this Rampart reads version {VERSION}")]
    Version(u32),
    /// Somebody changed a definition and left its hash.
    #[error("the hash of {section} `{name}` of `{server}` is not that of its definition")]
    Hash {
        /// The server.
        server: String,
        /// The list.
        section: String,
        /// The item.
        name: String,
    },
}

/// How an item differs from what was locked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case", tag = "drift")]
pub enum Drift {
    /// It was not there.
    Added {
        /// The list.
        section: &'static str,
        /// The item.
        name: String,
    },
    /// It is not there any more.
    Removed {
        /// The list.
        section: String,
        /// The item.
        name: String,
    },
    /// It is not what it was.
    Changed {
        /// The list.
        section: &'static str,
        /// The item.
        name: String,
        /// The members of the definition that differ.
        members: Vec<String>,
    },
}

impl Default for Lock {
    fn default() -> Self {
        Self { version: VERSION, servers: BTreeMap::new() }
    }
}

impl Lock {
    /// Reads a lock file.
    ///
    /// # Errors
    /// When it is none, of a later version, or holds a definition that is not the one that was locked.
    pub fn read(text: &str) -> Result<Self, LockError> {
        let lock: Self = serde_json::from_str(text)?;
        if lock.version != VERSION {
            return Err(LockError::Version(lock.version));
        }
        for (server, sections) in &lock.servers {
            for (section, items) in sections {
                for (name, pinned) in items {
                    if !pinned.is_whole() {
                        let (server, section, name) = (server.clone(), section.clone(), name.clone());
                        return Err(LockError::Hash { server, section, name });
                    }
                }
            }
        }
        Ok(lock)
    }

    /// The file's text: sorted, one member a line, so that a change is a readable difference in version control.
    ///
    /// # Errors
    /// Never for what [`Lock::pin`] has taken in.
    pub fn write(&self) -> Result<String, serde_json::Error> {
        Ok(escaped(&serde_json::to_string_pretty(self)?) + "\n")
    }

    /// Takes in what a server offers now, in place of what it offered.
    pub fn pin(&mut self, server: &str, catalogue: &Catalogue) {
        let sections = [Section::Server].into_iter().chain(Section::LISTS);
        self.servers.insert(server.to_owned(), sections.map(|s| (s.as_str().to_owned(), BTreeMap::new())).collect());
        for item in &catalogue.items {
            self.add(server, item);
        }
    }

    /// Takes in one item beside what is there. A second definition of one name stays beside the first.
    pub fn add(&mut self, server: &str, item: &Item) {
        let section = self.servers.entry(server.to_owned()).or_default().entry(item.section.as_str().to_owned());
        let new = Pinned::from(item);
        match section.or_default().entry(item.name.clone()) {
            Entry::Vacant(free) => drop(free.insert(new)),
            Entry::Occupied(taken) if taken.get().holds(&new.sha256) => {}
            Entry::Occupied(mut taken) => taken.get_mut().also.push(new),
        }
    }

    /// Takes in what was seen of one item in place of what is there.
    pub fn replace(&mut self, server: &str, section: &str, name: &str, seen: Pinned) {
        let offered = self.servers.entry(server.to_owned()).or_default();
        offered.entry(section.to_owned()).or_default().insert(name.to_owned(), seen);
    }

    /// Notes that somebody has looked at a section, so that what is not there is unknown.
    pub fn open(&mut self, server: &str, section: Section) {
        self.servers.entry(server.to_owned()).or_default().entry(section.as_str().to_owned()).or_default();
    }

    /// Forgets one item.
    pub fn forget(&mut self, server: &str, section: &str, name: &str) {
        if let Some(items) = self.servers.get_mut(server).and_then(|offered| offered.get_mut(section)) {
            items.remove(name);
        }
    }

    /// Forgets a server.
    pub fn remove(&mut self, server: &str) {
        self.servers.remove(server);
    }

    /// What a server offered.
    pub fn offered(&self, server: &str) -> Option<&Offered> {
        self.servers.get(server)
    }

    /// The servers that were ever locked.
    pub fn servers(&self) -> impl Iterator<Item = &str> {
        self.servers.keys().map(String::as_str)
    }

    /// Whether the server was ever locked.
    pub fn knows(&self, server: &str) -> bool {
        self.servers.contains_key(server)
    }

    /// How what a server offers differs from what was locked.
    pub fn compare(&self, server: &str, catalogue: &Catalogue) -> Vec<Drift> {
        let empty = BTreeMap::new();
        let locked = self.servers.get(server).unwrap_or(&empty);
        let offered = catalogue.by_name();
        let mut drift = Vec::new();
        for ((section, name), item) in &offered {
            let (section, name) = (section.as_str(), (*name).to_owned());
            match locked.get(section).and_then(|items| items.get(&name)) {
                None => drift.push(Drift::Added { section, name }),
                Some(pinned) if !pinned.holds(&item.hash()) => {
                    let members = differing(&pinned.definition, item);
                    drift.push(Drift::Changed { section, name, members });
                }
                Some(_) => {}
            }
        }
        let still = |section: &str, name: &str| offered.keys().any(|(s, n)| s.as_str() == section && *n == name);
        for (section, items) in locked {
            for name in items.keys().filter(|name| !still(section, name)) {
                drift.push(Drift::Removed { section: section.clone(), name: name.clone() });
            }
        }
        drift.sort();
        drift
    }
}

fn hash(definition: &Value) -> String {
    Item { section: Section::Server, name: String::new(), definition: definition.clone() }.hash()
}

/// The members of two definitions that are not the same.
fn differing(before: &Value, now: &Item) -> Vec<String> {
    let empty = serde_json::Map::new();
    let (before, now) = (before.as_object().unwrap_or(&empty), now.definition.as_object().unwrap_or(&empty));
    let mut members: Vec<String> = before.keys().chain(now.keys()).cloned().collect();
    members.sort();
    members.dedup();
    members.retain(|member| before.get(member) != now.get(member));
    members
}

/// JSON whose every character can be seen: what is not ASCII, or controls a terminal, as an escape.
pub fn escaped(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() && c != '\u{7f}' {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn catalogue(tools: &[(&str, Value)]) -> Catalogue {
        let item = |(name, definition): &(&str, Value)| Item {
            section: Section::Tools,
            name: (*name).to_owned(),
            definition: definition.clone(),
        };
        Catalogue { items: tools.iter().map(item).collect() }
    }

    #[test]
    fn what_was_added_removed_or_changed_is_named() {
        let mut lock = Lock::default();
        let before = catalogue(&[
            ("a", json!({"name": "a", "description": "x", "inputSchema": {"type": "object"}})),
            ("b", json!({"name": "b"})),
        ]);
        lock.pin("s", &before);
        assert_eq!(lock.compare("s", &before), []);
        let now = catalogue(&[
            ("a", json!({"name": "a", "description": "x\u{200b}", "inputSchema": {"type": "object"}})),
            ("c", json!({"name": "c"})),
        ]);
        let name = |name: &str| name.to_owned();
        assert_eq!(
            lock.compare("s", &now),
            [
                Drift::Added { section: "tools", name: name("c") },
                Drift::Removed { section: name("tools"), name: name("b") },
                Drift::Changed { section: "tools", name: name("a"), members: vec![name("description")] },
            ]
        );
    }

    #[test]
    fn the_file_shows_every_character_and_is_read_back() {
        let mut lock = Lock::default();
        lock.pin("s", &catalogue(&[("é\u{202e}\u{1f600}", json!({"description": "\u{1b}[2J"}))]));
        let text = lock.write().unwrap();
        assert!(text.is_ascii() && !text.contains('\u{1b}'), "{text}");
        assert_eq!(Lock::read(&text).unwrap(), lock);
    }

    #[test]
    fn a_lock_that_was_tampered_with_is_refused() {
        let mut lock = Lock::default();
        lock.pin("s", &catalogue(&[("a", json!({"description": "harmless"}))]));
        let text = lock.write().unwrap();
        let error = Lock::read(&text.replace("harmless", "obey me!")).unwrap_err().to_string();
        assert!(error.contains("`a` of `s`"), "{error}");
        assert!(Lock::read(&text.replace("\"version\": 1", "\"version\": 2")).is_err());
        assert!(Lock::read("{}").is_err());
    }
}
