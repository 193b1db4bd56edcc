//! The result of an analysis, and its entrance.

use rampart_call::{CommandLine, Effect, EffectKind, Span};

use crate::{value::Arg, walk::Walk};

/// What is known of the place a command would run in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Surroundings<'a> {
    /// Absolute working directory.
    pub cwd: Option<&'a str>,
    /// Absolute path that `~` means.
    pub home: Option<&'a str>,
    /// Absolute path of the project the agent works in.
    pub workspace: Option<&'a str>,
    /// Absolute path of Rampart's own home, where it is not `~/.rampart`.
    pub rampart_home: Option<&'a str>,
}

/// What a command line would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Analysis {
    /// Every simple command that would run, in the order of the text; a wrapper stands before what it runs.
    pub components: Vec<Component>,
    /// Every pipeline and list that contains an operator or a redirect; what stands inside a list comes before it.
    pub pipelines: Vec<Pipeline>,
    /// What would be done.
    pub effects: Vec<Effect>,
    /// False when a budget of depth, size or steps ran out; what was found until then stands.
    pub complete: bool,
}

/// One simple command: a program and its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// The words, quotes resolved; a word that could not be resolved stands as its source text.
    pub argv: Vec<String>,
    /// Every word was resolved.
    pub literal: bool,
    /// Variables set for this command only, such as `LD_PRELOAD=x` in `LD_PRELOAD=x ls`.
    pub assignments: Vec<(String, String)>,
    /// The programs it came through, outermost first (`sudo`, `xargs`, `sh -c`).
    pub via: Vec<String>,
    /// Bytes of the command line that show it.
    pub span: Span,
}

/// A pipeline or list as one line, for patterns that contain an operator, such as `curl * | bash`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pipeline {
    /// Words with quotes resolved, joined by one space; operators stand between spaces.
    pub text: String,
    /// Bytes of the command line that show it.
    pub span: Span,
}

/// Finds out what `command` would do in `around`. Total: every text has an analysis.
pub fn analyze(command: &CommandLine, around: &Surroundings<'_>) -> Analysis {
    let mut walk = Walk::new(around);
    match command {
        CommandLine::Command(text) => walk.whole(text),
        CommandLine::Argv(words) => walk.argv(words),
    }
    walk.finish()
}

/// The effects of a request: those that [`analyze`] finds in `curl -X METHOD -- URL`, so that both are judged alike, but for
/// the effect of running a program, and in no place of the text.
pub fn request(method: &str, url: &str, around: &Surroundings<'_>) -> Vec<Effect> {
    let mut effects = if is_ordinary(method, url) {
        let mut walk = Walk::new(around);
        walk.net_url(&Arg::literal(url, Span { start: 0, end: 0 }), "");
        walk.finish().effects
    } else {
        let words = ["curl", "-X", method, "--", url].map(str::to_owned);
        let mut effects = analyze(&CommandLine::Argv(words.into()), around).effects;
        effects.retain(|effect| effect.kind != EffectKind::Exec);
        effects
    };
    for effect in &mut effects {
        effect.span = None;
    }
    effects
}

/// Whether nothing else than its URL says what a request does, and following the words of a program would show no more.
/// Nearly every request is so, and each is judged twice.
fn is_ordinary(method: &str, url: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/?=&%+:,;@".contains(&b);
    matches!(method, "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "OPTIONS" | "CONNECT")
        && (url.starts_with("https://") || url.starts_with("http://"))
        && url.bytes().all(plain)
}
