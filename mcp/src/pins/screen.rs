//! Taking what is not approved out of a result, and leaving every other byte of it.

use rampart_call::{Action, Judgement, Reason, Refusal};
use serde_json::{Map, Value, json};

use super::{Checked, Pins, Why, brief, quoted};
use crate::{
    lists::{rewritten, without},
    scan::{Item, Pinned, Section},
};

/// Names in a record. Their number is told besides.
const NAMED: usize = 20;

/// What became of a result that offers something.
#[derive(Debug, Default)]
pub struct Screened {
    /// The result without what is withheld, as JSON; none when nothing is.
    pub(crate) body: Option<String>,
    /// What is withheld from it.
    pub(crate) withheld: Vec<Item>,
    /// What was trusted on first use.
    pub(crate) learned: Vec<Item>,
    /// Sections that nobody had looked at before.
    pub(crate) met: Vec<Section>,
    /// What is again as it was approved.
    pub(crate) restored: Vec<Item>,
    /// What to tell of it.
    pub(crate) refusal: Option<Refusal>,
}

impl Screened {
    /// Whether there is nothing to write down.
    pub(crate) fn is_quiet(&self) -> bool {
        self.withheld.is_empty() && self.learned.is_empty() && self.met.is_empty() && self.restored.is_empty()
    }
}

/// The section that the result of a method offers.
pub(crate) fn section_of(method: &str) -> Option<Section> {
    match method {
        "initialize" | "server/discover" => Some(Section::Server),
        "tools/list" => Some(Section::Tools),
        "prompts/list" => Some(Section::Prompts),
        "resources/templates/list" => Some(Section::Templates),
        _ => None,
    }
}

impl Pins {
    /// Looks at the result of a request.
    ///
    /// # Errors
    /// When two readers could find different offers in it.
    pub(crate) fn screen(&mut self, action: &Action, body: &Value, raw: &str) -> Result<Screened, String> {
        let Action::Mcp { method, .. } = action else { return Ok(Screened::default()) };
        let (Some(section), Value::Object(members)) = (section_of(method), body) else {
            return Ok(Screened::default());
        };
        match section {
            Section::Server => self.screen_server(members, raw),
            _ => self.screen_list(section, members, raw),
        }
    }

    fn screen_list(&mut self, section: Section, members: &Map<String, Value>, raw: &str) -> Result<Screened, String> {
        let (list, naming) = section.members();
        unambiguous(members, &[list, "nextCursor", "ttlMs", "cacheScope"])?;
        let Some(Value::Array(values)) = members.get(list) else { return Ok(Screened::default()) };
        let mut screened = Screened::default();
        if self.meet(section) {
            screened.met.push(section);
        }
        let mut kept = Vec::with_capacity(values.len());
        let mut told = Vec::new();
        for definition in values {
            let name = definition.get(naming).and_then(Value::as_str).unwrap_or_default().to_owned();
            let item = Item { section, name, definition: definition.clone() };
            let checked = self.check(&item);
            kept.push(!matches!(checked, Checked::Withheld(_)));
            match checked {
                Checked::Approved => {}
                Checked::Restored => screened.restored.push(item),
                Checked::Learned => screened.learned.push(item),
                Checked::Withheld(why) => {
                    told.push((item.name.clone(), why));
                    screened.withheld.push(item);
                }
            }
        }
        // One of two items of a name may be the approved one; which of them a client keeps, nobody knows.
        for item in &screened.withheld {
            let why = if self.approved_name(item) { Why::Changed } else { Why::New };
            let withheld = super::Withheld { why, sha256: item.hash() };
            self.withheld.entry(section).or_default().insert(item.name.clone(), withheld);
        }
        if !members.get("nextCursor").is_some_and(Value::is_string) {
            self.learning.remove(&section);
        }
        if !screened.withheld.is_empty() {
            screened.body = Some(rewritten(raw, |member, value| match member {
                _ if member == list => without(value, &kept),
                "ttlMs" => Ok(Some("0".into())),
                "cacheScope" => Ok(Some("\"private\"".into())),
                _ => Ok(None),
            })?);
            screened.refusal = Some(self.tells(section, &told));
        }
        Ok(screened)
    }

    fn screen_server(&mut self, members: &Map<String, Value>, raw: &str) -> Result<Screened, String> {
        unambiguous(members, &["serverInfo", "instructions", "capabilities"])?;
        if !members.contains_key("serverInfo") && !members.contains_key("instructions") {
            return Ok(Screened::default()); // an error
        }
        let about = ["serverInfo", "instructions", "capabilities"];
        let about = about.iter().filter_map(|m| Some(((*m).to_owned(), members.get(*m)?.clone())));
        let item = Item { section: Section::Server, name: String::new(), definition: Value::Object(about.collect()) };
        let mut screened = Screened::default();
        if self.meet(Section::Server) {
            screened.met.push(Section::Server);
        }
        let pinned = self.approved.get("server").and_then(|items| items.get("")).cloned();
        // Capabilities are no text for a model, and what they promise is pinned itself.
        let same = |member: &str| {
            let now = item.definition.get(member);
            pinned.as_ref().is_some_and(|p| p.definitions().any(|before| before.get(member) == now))
        };
        let (info, instructions) = (same("serverInfo"), same("instructions"));
        if info && instructions {
            return Ok(screened);
        }
        let checked = self.check(&item);
        self.learning.remove(&Section::Server);
        match checked {
            Checked::Learned => screened.learned.push(item),
            Checked::Approved | Checked::Restored => {}
            Checked::Withheld(why) => {
                // What may not be missing stays as it was approved.
                let before = pinned.as_ref().map(Pinned::definition);
                let stand_in = before.and_then(|b| b.get("serverInfo")).cloned();
                let stand_in = stand_in.unwrap_or_else(|| json!({"name": self.server, "version": "0"})).to_string();
                let text = before.and_then(|b| b.get("instructions")).map_or_else(|| "\"\"".into(), Value::to_string);
                screened.body = Some(rewritten(raw, |member, _| match member {
                    "serverInfo" if !info => Ok(Some(stand_in.clone())),
                    "instructions" if !instructions => Ok(Some(text.clone())),
                    _ => Ok(None),
                })?);
                screened.refusal = Some(self.tells(Section::Server, &[(String::new(), why)]));
                screened.withheld.push(item);
            }
        }
        Ok(screened)
    }

    fn approved_name(&self, item: &Item) -> bool {
        self.approved.get(item.section.as_str()).is_some_and(|items| items.contains_key(&item.name))
    }

    fn tells(&self, section: Section, told: &[(String, Why)]) -> Refusal {
        let word = |why| match why {
            Why::New => "new",
            Why::Changed => "changed",
        };
        let message = if section == Section::Server {
            format!("{} has changed and is withheld", self.named(section, ""))
        } else {
            let names = told.iter().take(NAMED).map(|(name, why)| format!("`{}` ({})", brief(name), word(*why)));
            let more = if told.len() > NAMED { format!(" and {} more", told.len() - NAMED) } else { String::new() };
            let names = names.collect::<Vec<_>>().join(", ");
            format!("{} {} of `{}` hidden: {names}{more}", told.len(), section.as_str(), brief(&self.server))
        };
        let judgement = Judgement::refused(Reason::NotPinned, message);
        let server = quoted(&self.server);
        let suggestions = vec![format!("rampart mcp pins diff {server}"), format!("rampart mcp pins approve {server}")];
        Refusal { judgement: Judgement { suggestions, ..judgement } }
    }
}

/// No member may differ from one of these in case only: some parsers would take it for that.
fn unambiguous(members: &Map<String, Value>, keys: &[&str]) -> Result<(), String> {
    match crate::message::variant_of(members, keys) {
        Some(key) => Err(format!("it has a member that differs from `{key}` in case only")),
        None => Ok(()),
    }
}
