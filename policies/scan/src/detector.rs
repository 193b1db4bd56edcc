//! What a detector is, once its entry has been read.

use std::sync::{LazyLock, OnceLock};

use rampart_call::FindingClass;
use regex_automata::{Anchored, Input, meta::Regex, util::syntax};

use crate::check::Check;
use crate::entry::{Entry, FILES, File};
use crate::tells::Tells;

/// One kind of thing that the scanner recognises.
#[derive(Debug)]
pub struct Detector {
    id: String,
    class: FindingClass,
    description: String,
    hosts: Vec<String>,
    pub(crate) shape: Shape,
    follow: String,
    pub(crate) entropy: f32,
    pub(crate) check: Option<Check>,
}

/// How a detector recognises its thing.
#[derive(Debug)]
pub(crate) enum Shape {
    /// A prefix in its exact case, then `rest`.
    Token { prefixes: Vec<String>, rest: Pattern },
    /// A name, then an assignment of any language, then `value`. `telling` values need no telling name.
    Assigned { names: Vec<String>, value: Pattern, telling: bool },
    /// A keyword, `exact` in its case or in any, and around it `regex`, from at most `before` bytes before it; if that is
    /// not 0, to `after` bytes after it. `then` matches too, in as many bytes behind that as are told, where there is one.
    Keyed {
        keywords: Vec<String>,
        exact: bool,
        regex: Pattern,
        before: usize,
        after: usize,
        then: Option<(Pattern, usize)>,
    },
    /// A keyword that is a word, an address there, and enough that tells around that.
    Weighed { keywords: Vec<String>, tells: Tells },
    /// Code of this crate finds it.
    Code,
}

impl Detector {
    /// The stable id that findings and policies name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What kind of thing it finds.
    pub fn class(&self) -> FindingClass {
        self.class
    }

    /// What it finds, in words for people.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// Where what it finds belongs, as `host` or `*.host`: the issuer's own hosts. Empty where that cannot be said.
    pub fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// The texts of which one must be there before the detector is asked at all; folded to lower case, short ones with
    /// what may follow them.
    pub(crate) fn keywords(&self) -> impl Iterator<Item = String> {
        let list: &[String] = match &self.shape {
            Shape::Token { prefixes, .. } => prefixes,
            Shape::Assigned { names, .. } => names,
            Shape::Keyed { keywords, .. } | Shape::Weighed { keywords, .. } => keywords,
            Shape::Code => &[],
        };
        list.iter().flat_map(|keyword| {
            let followed = |next: char| format!("{keyword}{next}").to_ascii_lowercase();
            let mut keywords: Vec<String> = self.follow.chars().map(followed).collect();
            if keywords.is_empty() {
                keywords.push(keyword.to_ascii_lowercase());
            }
            keywords
        })
    }

    fn of(class: FindingClass, entry: Entry) -> Self {
        let shape = if !entry.prefix.is_empty() {
            Shape::Token { prefixes: entry.prefix, rest: Pattern::new(entry.rest, Case::Exact) }
        } else if !entry.name.is_empty() {
            Shape::Assigned { names: entry.name, value: Pattern::new(entry.value, Case::Exact), telling: entry.telling }
        } else if let Some(address) = &entry.address {
            let tells = Tells::new(address, &entry.tells, &entry.forbids, entry.enough);
            Shape::Weighed { keywords: entry.keywords, tells }
        } else if !entry.keywords.is_empty() {
            let exact = entry.keywords.iter().any(|k| k.bytes().any(|b| b.is_ascii_uppercase()));
            let source = if entry.any.is_empty() { entry.regex } else { entry.any.join("|") };
            let (keywords, regex) = (entry.keywords, Pattern::new(source, Case::Any));
            let then = (!entry.then.is_empty()).then(|| (Pattern::new(entry.then.join("|"), Case::Any), entry.apart));
            Shape::Keyed { keywords, exact, regex, before: entry.before, after: entry.after, then }
        } else {
            Shape::Code
        };
        Self {
            id: entry.id,
            class,
            description: entry.about,
            hosts: entry.hosts,
            shape,
            follow: entry.follow,
            entropy: entry.entropy,
            check: Check::named(&entry.check),
        }
    }
}

/// All detectors, in the order of their files.
pub fn detectors() -> impl Iterator<Item = &'static Detector> {
    ALL.iter()
}

/// The same, to be looked up by number. A file that does not read is no answer to any question: nothing is scanned without
/// it.
#[expect(clippy::panic, reason = "the files are part of the program, and a test reads them all")]
pub(crate) static ALL: LazyLock<Vec<Detector>> = LazyLock::new(|| {
    let files = FILES.iter().map(|(name, text)| {
        toml::from_str::<File>(text).unwrap_or_else(|e| panic!("the detectors of `{name}` cannot be read: {e}"))
    });
    files.flat_map(|f| f.detectors.into_iter().map(move |e| Detector::of(f.class, e))).collect()
});

/// Which case of letters an expression matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Exact,
    Any,
}

/// An expression over bytes, compiled when it is first needed.
#[derive(Debug)]
pub(crate) struct Pattern {
    source: String,
    case: Case,
    compiled: OnceLock<Option<Regex>>,
}

/// What a pattern matched: all of it, and the part that is the secret.
pub(crate) struct Matched {
    pub all: (usize, usize),
    pub secret: (usize, usize),
}

impl Pattern {
    fn new(source: String, case: Case) -> Self {
        Self { source, case, compiled: OnceLock::new() }
    }

    /// The compiled expression; none when it does not compile, which a test rules out.
    pub(crate) fn regex(&self) -> Option<&Regex> {
        let build = || {
            let syntax = syntax::Config::new().unicode(false).utf8(false).case_insensitive(self.case == Case::Any);
            let config = Regex::config().utf8_empty(false).hybrid_cache_capacity(512 * 1024);
            Regex::builder().syntax(syntax).configure(config).build(&self.source).ok()
        };
        self.compiled.get_or_init(build).as_ref()
    }

    /// The match that begins exactly at `from`, looking no further than `to`. Group 1, where there is one, is the secret.
    pub(crate) fn at(&self, bytes: &[u8], from: usize, to: usize) -> Option<Matched> {
        self.search(Input::new(bytes).range(from..to.min(bytes.len()).max(from)).anchored(Anchored::Yes))
    }

    /// The first match between `from` and `to`.
    pub(crate) fn within(&self, bytes: &[u8], from: usize, to: usize) -> Option<Matched> {
        self.search(Input::new(bytes).range(from..to.min(bytes.len()).max(from)))
    }

    fn search(&self, input: Input<'_>) -> Option<Matched> {
        let regex = self.regex()?;
        let found = regex.search(&input)?;
        let all = (found.start(), found.end());
        if regex.captures_len() == 1 {
            return Some(Matched { all, secret: all });
        }
        let mut captures = regex.create_captures();
        regex.search_captures(&input.span(found.span()).anchored(Anchored::Yes), &mut captures);
        let secret = (1..captures.group_len()).find_map(|i| captures.get_group(i)).map_or(all, |g| (g.start, g.end));
        Some(Matched { all, secret })
    }
}
