//! What a server offers, as it says so itself.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Offered;

/// The lists that a server has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// `serverInfo` and `instructions`.
    Server,
    /// `tools/list`.
    Tools,
    /// `prompts/list`.
    Prompts,
    /// `resources/list`.
    Resources,
    /// `resources/templates/list`.
    Templates,
}

impl Section {
    /// The sections that are lists.
    pub const LISTS: [Self; 4] = [Self::Tools, Self::Prompts, Self::Resources, Self::Templates];

    /// The word in lock files and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::Templates => "templates",
        }
    }

    pub(crate) const fn method(self) -> &'static str {
        match self {
            Self::Server => "initialize",
            Self::Tools => "tools/list",
            Self::Prompts => "prompts/list",
            Self::Resources => "resources/list",
            Self::Templates => "resources/templates/list",
        }
    }

    /// The member of the list's result that holds its items, and the member of an item that names it.
    pub(crate) const fn members(self) -> (&'static str, &'static str) {
        match self {
            Self::Server => ("", ""),
            Self::Tools => ("tools", "name"),
            Self::Prompts => ("prompts", "name"),
            Self::Resources => ("resources", "uri"),
            Self::Templates => ("resourceTemplates", "uriTemplate"),
        }
    }
}

/// One thing that a server offers.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// The list it stands in.
    pub section: Section,
    /// Its name, URI or URI template.
    pub name: String,
    /// Everything that the server says of it.
    pub definition: Value,
}

impl Item {
    /// SHA-256 of the definition's JSON with sorted members, in hex: equal exactly when the definition is.
    pub fn hash(&self) -> String {
        // `serde_json` keeps members sorted
        hex::encode(Sha256::digest(self.definition.to_string()))
    }

    /// Section and name, such as `tools/read_file`.
    pub fn place(&self) -> String {
        format!("{}/{}", self.section.as_str(), self.name)
    }

    /// The text for the model.
    pub fn description(&self) -> &str {
        self.definition.get("description").and_then(Value::as_str).unwrap_or_default()
    }
}

/// All that a server offers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalogue {
    /// Items in the order in which the server lists them; the first is the server itself.
    pub items: Vec<Item>,
}

impl Catalogue {
    /// What a lock says that a server offers.
    pub fn of(offered: &Offered) -> Self {
        let all = [Section::Server].into_iter().chain(Section::LISTS);
        let sections = all.filter_map(|section| Some((section, offered.get(section.as_str())?)));
        let items = sections.flat_map(|(section, names)| {
            names.iter().flat_map(move |(name, pinned)| {
                pinned.definitions().map(move |definition| Item {
                    section,
                    name: name.clone(),
                    definition: definition.clone(),
                })
            })
        });
        Self { items: items.collect() }
    }

    /// The items of a list.
    pub fn section(&self, section: Section) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(move |item| item.section == section)
    }

    /// What the server calls itself.
    pub fn server_name(&self) -> Option<&str> {
        self.section(Section::Server).next()?.definition.get("serverInfo")?.get("name")?.as_str()
    }

    /// Items by section and name. Of those with one name the last, as a client would keep it.
    pub(super) fn by_name(&self) -> BTreeMap<(Section, &str), &Item> {
        self.items.iter().map(|item| ((item.section, item.name.as_str()), item)).collect()
    }
}
