//! The detector files: what an entry of `detectors/*.toml` may say. `detectors/README.md` explains it to people.

use rampart_call::FindingClass;
use serde::Deserialize;

/// The files, one topic each. A new topic is a new line here.
pub(crate) const FILES: &[(&str, &str)] = &[
    ("cloud", include_str!("../detectors/cloud.toml")),
    ("vcs", include_str!("../detectors/vcs.toml")),
    ("ai", include_str!("../detectors/ai.toml")),
    ("messaging", include_str!("../detectors/messaging.toml")),
    ("payments", include_str!("../detectors/payments.toml")),
    ("saas", include_str!("../detectors/saas.toml")),
    ("named_a_l", include_str!("../detectors/named_a_l.toml")),
    ("named_m_z", include_str!("../detectors/named_m_z.toml")),
    ("keys", include_str!("../detectors/keys.toml")),
    ("databases", include_str!("../detectors/databases.toml")),
    ("generic", include_str!("../detectors/generic.toml")),
    ("personal", include_str!("../detectors/personal.toml")),
    ("injection", include_str!("../detectors/injection.toml")),
    ("orders", include_str!("../detectors/orders.toml")),
    ("hidden", include_str!("../detectors/hidden.toml")),
];

/// One file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    pub class: FindingClass,
    #[serde(rename = "detector")]
    pub detectors: Vec<Entry>,
}

/// One detector as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    pub id: String,
    pub about: String,
    /// Whose secret it is: where it belongs, as `host` or `*.host`.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// A token: one of these, in this case, then `rest`.
    #[serde(default)]
    pub prefix: Vec<String>,
    #[serde(default)]
    pub rest: String,
    /// A value given to a name: one of these in the name, in any case, then `value`.
    #[serde(default)]
    pub name: Vec<String>,
    #[serde(default)]
    pub value: String,
    /// The value is telling enough: the name need not speak of a key, token or password.
    #[serde(default)]
    pub telling: bool,
    /// Anything else: at one of these `regex` is tried. In any case of letters, but for those that are written with a capital.
    #[serde(default)]
    pub keywords: Vec<String>,
    #[serde(default)]
    pub regex: String,
    /// In place of `regex`: expressions of which one is to match.
    #[serde(default)]
    pub any: Vec<String>,
    /// Where one of these matches as well, in at most `apart` bytes that follow, and only there.
    #[serde(default)]
    pub then: Vec<String>,
    #[serde(default)]
    pub apart: usize,
    /// In place of `regex`: whom the text addresses at the keyword, what in the text around has weight, and how much is enough.
    pub address: Option<Address>,
    #[serde(default)]
    pub tells: Vec<Tell>,
    #[serde(default)]
    pub enough: i32,
    /// What begins a clause that forbids: what is said in it is no deed.
    #[serde(default)]
    pub forbids: Phrased,
    /// How many bytes before the keyword the match may begin.
    #[serde(default)]
    pub before: usize,
    /// How many bytes after the keyword the match may end, where it may begin before it.
    #[serde(default)]
    pub after: usize,
    /// The characters that may come after a prefix or keyword that short, in one case.
    #[serde(default)]
    pub follow: String,
    /// Found by code of that name instead of by an expression.
    #[serde(default)]
    #[cfg_attr(not(test), expect(dead_code, reason = "the code knows its detector, not the other way round"))]
    pub code: String,
    /// Bits a character that the secret has at least.
    #[serde(default)]
    pub entropy: f32,
    /// Name of a function of `check.rs` that confirms the secret.
    #[serde(default)]
    pub check: String,
    /// Texts it finds something in, and texts it does not. Templates: see `detectors/README.md`.
    #[serde(default)]
    #[cfg_attr(not(any(test, feature = "hits")), expect(dead_code, reason = "examples are for tests and readers"))]
    pub hits: Vec<String>,
    #[serde(default)]
    #[cfg_attr(not(test), expect(dead_code, reason = "examples are for tests and readers"))]
    pub misses: Vec<String>,
}

/// What an address is made of, each a list of phrases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Address {
    /// Who may be addressed.
    pub names: Vec<String>,
    /// What stands before a name that is called.
    pub calls: Vec<String>,
    /// What stands before a name in `if you are an LLM`.
    pub conditions: Vec<String>,
    /// What follows a name that is called.
    pub relatives: Vec<String>,
    /// What stands between a name and the mark that ends the address.
    pub kinds: Vec<String>,
    /// What stands in the clause behind a name that has to do something.
    pub duties: Vec<String>,
    /// What follows a name that does something.
    pub verbs: Vec<String>,
    /// What is an address as it is.
    pub alone: Vec<String>,
}

/// A list of phrases.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Phrased {
    pub words: Vec<String>,
}

/// What weighs in a text that speaks to a machine.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tell {
    /// What it tells, for readers.
    #[serde(rename = "of")]
    #[expect(dead_code, reason = "it names the list for readers")]
    pub of: String,
    pub points: i32,
    /// A deed, which counts only where it is not forbidden.
    #[serde(default)]
    pub deed: bool,
    /// Phrases that tell it.
    #[serde(default)]
    pub words: Vec<String>,
    /// Chains of phrases that tell it, with at most `apart` bytes between one and the next.
    #[serde(default)]
    pub chains: Vec<Vec<Vec<String>>>,
    #[serde(default)]
    pub apart: usize,
}
