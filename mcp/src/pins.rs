//! What of a server's offer is approved: everything else is hidden where the server lists it, and refused where it is
//! called. Pure; [`store`] keeps it in files.
//!
//! Tools, prompts and resource templates are known by name and by the hash of all that the server says of them, its
//! instructions and its account of itself by their text. Resources are not pinned: they come and go like files.
//!
//! A section that nobody has ever looked at may be trusted on first use: the definitions that come in are pinned, page by
//! page, until a list has come to its end. From then on, and in every later session, what is new or changed waits for a
//! person. A call needs no list before it: it names its tool, and the tool that the model knows is the pinned one, since
//! no other was ever shown.

pub(crate) mod keeper;
mod screen;
pub mod store;

use std::collections::{BTreeMap, BTreeSet};

use rampart_call::{Action, Judgement, Reason, Refusal};
use serde_json::{Map, Value, json};

use crate::scan::{Item, Offered, Section, escaped};
pub use screen::Screened;

/// Characters of a foreign name in a text for people.
const SHOWN: usize = 100;
/// How many of the items that are pinned together a record names.
const RECORDED: usize = 100;

/// The approved part of a server's offer, and what stands beside it.
#[derive(Debug)]
pub struct Pins {
    server: String,
    approved: Offered,
    /// What the server offers otherwise than approved, by section and name.
    withheld: BTreeMap<Section, BTreeMap<String, Withheld>>,
    /// Trusted on first use: a section that nobody has looked at is filled by what comes.
    trusting: bool,
    /// Whether a text hides something; what does is not trusted on first use.
    hides: fn(&str) -> bool,
    /// Sections whose first list has not come to its end.
    learning: BTreeSet<Section>,
}

/// Why something is withheld.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Withheld {
    why: Why,
    sha256: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    /// Nothing of this name was approved.
    New,
    /// What was approved was something else.
    Changed,
}

impl Pins {
    /// Pins of the server that policy knows by this name; nothing is approved, and nothing trusted.
    pub fn new(server: impl Into<String>, approved: Offered) -> Self {
        Self {
            server: server.into(),
            approved,
            withheld: BTreeMap::new(),
            trusting: false,
            hides: |_| false,
            learning: BTreeSet::new(),
        }
    }

    /// Trusts on first use what hides nothing.
    #[must_use]
    pub fn trusting(self, hides: fn(&str) -> bool) -> Self {
        Self { trusting: true, hides, ..self }
    }

    /// Takes in what was seen in earlier sessions and not approved since.
    #[must_use]
    pub fn remembering(mut self, seen: &Offered) -> Self {
        for section in [Section::Tools, Section::Prompts, Section::Templates] {
            for (name, pinned) in seen.get(section.as_str()).into_iter().flatten() {
                let item = Item { section, name: name.clone(), definition: pinned.definition().clone() };
                self.check(&item);
            }
        }
        self
    }

    /// Puts what is approved now in place of what was. The sections of which something is no longer withheld.
    pub(crate) fn approve(&mut self, approved: Offered) -> Vec<Section> {
        self.approved = approved;
        let mut released = Vec::new();
        for (section, names) in &mut self.withheld {
            let before = names.len();
            let items = self.approved.get(section.as_str());
            names.retain(|name, withheld| {
                !items.and_then(|items| items.get(name)).is_some_and(|pinned| pinned.holds(&withheld.sha256))
            });
            if names.len() < before {
                released.push(*section);
            }
        }
        released
    }

    /// What is approved.
    pub(crate) fn approved(&self) -> &Offered {
        &self.approved
    }

    /// Whether anything is withheld.
    pub(crate) fn withholds(&self) -> bool {
        self.withheld.values().any(|names| !names.is_empty())
    }

    /// The refusal of a call of something that is not approved.
    pub(crate) fn refusal(&self, action: &Action) -> Option<Refusal> {
        let Action::Mcp { method, tool, arguments, .. } = action else { return None };
        let section = match method.as_str() {
            "tools/call" => Section::Tools,
            "prompts/get" => Section::Prompts,
            "completion/complete" if arguments.pointer("/ref/name").is_some() => Section::Prompts,
            "completion/complete" => Section::Templates,
            _ => return None,
        };
        let why = match self.approved.get(section.as_str()) {
            None if self.trusting => return None,
            None => Why::New,
            Some(items) if items.contains_key(tool) => self.withheld.get(&section)?.get(tool)?.why,
            // The list that would name it may still be on its way.
            Some(_) if self.learning.contains(&section) && !self.is_withheld(section, tool) => return None,
            Some(_) => Why::New,
        };
        let message = format!(
            "{} {}. `rampart mcp pins diff {}` shows it",
            self.named(section, tool),
            match why {
                Why::New => "is not among what was approved",
                Why::Changed => "is not what was approved: the server has changed what it says of it",
            },
            quoted(&self.server),
        );
        let suggestion = format!(
            "rampart mcp pins approve {} --only {}",
            quoted(&self.server),
            quoted(&format!("{}/{tool}", section.as_str()))
        );
        let judgement = Judgement::refused(Reason::NotPinned, message);
        Some(Refusal { judgement: Judgement { suggestions: vec![suggestion], ..judgement } })
    }

    /// Whether an item may be shown. Trust on first use happens here.
    fn check(&mut self, item: &Item) -> Checked {
        let sha256 = item.hash();
        let pinned = self.approved.get(item.section.as_str()).map(|items| items.get(&item.name));
        match pinned {
            Some(Some(pinned)) if pinned.holds(&sha256) => {
                let restored =
                    self.withheld.get_mut(&item.section).is_some_and(|names| names.remove(&item.name).is_some());
                return if restored { Checked::Restored } else { Checked::Approved };
            }
            Some(None) if self.learning.contains(&item.section) && !self.hidden_in(&item.definition) => {
                let items = self.approved.entry(item.section.as_str().to_owned()).or_default();
                items.insert(item.name.clone(), item.into());
                return Checked::Learned;
            }
            _ => {}
        }
        let why = if matches!(pinned, Some(Some(_))) { Why::Changed } else { Why::New };
        self.withheld.entry(item.section).or_default().insert(item.name.clone(), Withheld { why, sha256 });
        Checked::Withheld(why)
    }

    /// Begins to trust a section that nobody has looked at.
    fn meet(&mut self, section: Section) -> bool {
        let first = self.trusting && !self.approved.contains_key(section.as_str());
        if first {
            self.approved.insert(section.as_str().to_owned(), BTreeMap::new());
            self.learning.insert(section);
        }
        first
    }

    fn is_withheld(&self, section: Section, name: &str) -> bool {
        self.withheld.get(&section).is_some_and(|names| names.contains_key(name))
    }

    fn hidden_in(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => (self.hides)(text),
            Value::Array(list) => list.iter().any(|value| self.hidden_in(value)),
            Value::Object(members) => members.iter().any(|(name, value)| (self.hides)(name) || self.hidden_in(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    /// "the tool `x` of `s`", with every character visible.
    fn named(&self, section: Section, name: &str) -> String {
        let kind = match section {
            Section::Server => return format!("what `{}` says of itself", brief(&self.server)),
            Section::Tools => "tool",
            Section::Prompts => "prompt",
            Section::Resources => "resource",
            Section::Templates => "resource template",
        };
        format!("the {kind} `{}` of `{}`", brief(name), brief(&self.server))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Checked {
    Approved,
    /// It is what was approved again, and was something else before.
    Restored,
    Learned,
    Withheld(Why),
}

/// What a record says of what was trusted on first use.
pub(crate) fn first_use(server: &str, items: &[Item]) -> Action {
    let pinned = items.iter().take(RECORDED).map(|item| (item.place(), item.hash().into()));
    Action::Mcp {
        server: server.to_owned(),
        method: "rampart/pins/first-use".into(),
        tool: String::new(),
        arguments: json!({"items": items.len(), "pinned": pinned.collect::<Map<_, _>>()}).into(),
        beside: Value::Null,
    }
}

/// Foreign text, short and with every character visible.
pub(crate) fn brief(text: &str) -> String {
    let shown: String = text.chars().take(SHOWN).collect();
    escaped(&shown).replace('\n', "\\n").replace('\r', "\\r").replace('\t', "\\t").replace('\u{1b}', "\\u001b")
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '@' | ':' | '+' | ',');
    if !word.is_empty() && word.chars().all(plain) && !word.starts_with('-') {
        return word.to_owned();
    }
    format!("'{}'", brief(word).replace('\'', r"'\''"))
}
