//! `effect`: what the call would do is one of these kinds. `scope`, `sensitivity`, `note`, `certainty` and
//! `reversibility` narrow it: all of them speak of the same effect.

use rampart_call::{Certainty, Effect, EffectKind, Reversibility, Scope, Sensitivity, Target};

use super::{Fields, Reader, RuleBuilder, Trigger};

/// What is written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source {
    pub(crate) kinds: Option<Vec<EffectKind>>,
    pub(crate) scopes: Option<Vec<Scope>>,
    pub(crate) sensitivities: Option<Vec<Sensitivity>>,
    pub(crate) notes: Option<Vec<String>>,
    pub(crate) certainties: Option<Vec<Certainty>>,
    pub(crate) reversibilities: Option<Vec<Reversibility>>,
}

const SCOPES: [(&str, Scope); 10] = [
    ("project", Scope::Project),
    ("temp", Scope::Temp),
    ("home", Scope::Home),
    ("home-root", Scope::HomeRoot),
    ("system", Scope::System),
    ("system-root", Scope::SystemRoot),
    ("device", Scope::Device),
    ("agent-config", Scope::AgentConfig),
    ("rampart", Scope::Rampart),
    ("elsewhere", Scope::Elsewhere),
];

const SENSITIVITIES: [(&str, Sensitivity); 4] = [
    ("ordinary", Sensitivity::Ordinary),
    ("may-hold-secrets", Sensitivity::MayHoldSecrets),
    ("credential", Sensitivity::Credential),
    ("persistence", Sensitivity::Persistence),
];

const CERTAINTIES: [(&str, Certainty); 3] =
    [("proven", Certainty::Proven), ("possible", Certainty::Possible), ("opaque", Certainty::Opaque)];

const REVERSIBILITIES: [(&str, Reversibility); 3] = [
    ("reversible", Reversibility::Reversible),
    ("irreversible", Reversibility::Irreversible),
    ("unknown", Reversibility::Unknown),
];

impl Source {
    pub(super) fn read(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Self {
        let kinds = EffectKind::ALL.map(|k| (k.as_str(), k));
        let notes: Vec<(&str, &str)> = rampart_shell::NOTES.iter().map(|(word, _)| (*word, *word)).collect();
        Self {
            kinds: words(fields, reader, "effect", "a kind of effect", &kinds),
            scopes: words(fields, reader, "scope", "a scope", &SCOPES),
            sensitivities: words(fields, reader, "sensitivity", "a sensitivity", &SENSITIVITIES),
            notes: words(fields, reader, "note", "a note of the analysis", &notes)
                .map(|notes| notes.into_iter().map(str::to_owned).collect()),
            certainties: words(fields, reader, "certainty", "a certainty", &CERTAINTIES),
            reversibilities: words(fields, reader, "reversibility", "a reversibility", &REVERSIBILITIES),
        }
    }

    pub(super) fn compile(&self, into: &mut RuleBuilder<'_>) {
        let Self { kinds, scopes, sensitivities, notes, certainties, reversibilities } = self.clone();
        if let Some(kinds) = kinds {
            into.found_by(kinds.iter().copied().map(Trigger::Kind));
            into.item("effect", move |_, effect| kinds.contains(&effect.kind));
        }
        if let Some(scopes) = scopes {
            into.item(
                "scope",
                move |_, effect| matches!(&effect.target, Some(Target::Path { scope, .. }) if scopes.contains(scope)),
            );
        }
        if let Some(all) = sensitivities {
            into.item("sensitivity", move |_, effect| {
                matches!(&effect.target, Some(Target::Path { sensitivity, .. }) if all.contains(sensitivity))
            });
        }
        if let Some(notes) = notes {
            into.item("note", move |_, effect: &Effect| notes.contains(&effect.note));
        }
        if let Some(all) = certainties {
            into.item("certainty", move |_, effect| all.contains(&effect.certainty));
        }
        if let Some(all) = reversibilities {
            into.item("reversibility", move |_, effect| all.contains(&effect.reversibility));
        }
    }
}

fn words<T: Copy>(
    fields: &mut Fields<'_>,
    reader: &mut Reader<'_>,
    key: &'static str,
    what: &str,
    known: &[(&str, T)],
) -> Option<Vec<T>> {
    let node = fields.take(key)?;
    let texts = reader.texts(node, key);
    Some(texts.iter().filter_map(|text| reader.word(text, what, known)).collect())
}
