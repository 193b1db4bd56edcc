//! Inline code as tokens: enough of a lexer for the languages that are given on command lines.

use crate::knowledge::Language;
use crate::syntax::unescape;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A name, its sigil dropped.
    Name(String),
    Number(String),
    /// A string; `holes` are the pieces of code inside it, each of which stands in the text as `$_`.
    Text {
        text: String,
        holes: Vec<String>,
    },
    /// A string that a shell runs: backquotes, `qx`, `%x`.
    Shell {
        text: String,
        holes: Vec<String>,
    },
    Sign(char),
    /// `..`, the concatenation of Lua.
    Dots,
    /// `::` and `->`.
    Arrow,
    /// The end of a line or statement.
    End,
}

/// Cuts code into tokens. Linear.
pub(super) fn tokens(language: Language, code: &str) -> Vec<Token> {
    let mut lexer = Lexer { language, chars: code.char_indices().collect(), at: 0, out: Vec::new() };
    while lexer.step() {}
    lexer.out
}

struct Lexer {
    language: Language,
    chars: Vec<(usize, char)>,
    at: usize,
    out: Vec<Token>,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.chars.get(self.at + ahead).map(|(_, c)| *c)
    }

    /// Whether a `<` opens a pattern of paths: it holds a star or slash, and closes on its line.
    fn is_glob(&self) -> bool {
        let inside: String =
            (1..80).map_while(|ahead| self.peek(ahead)).take_while(|c| *c != '>' && *c != '\n').collect();
        let closes = self.peek(inside.chars().count() + 1) == Some('>');
        closes && inside.contains(['*', '/', '~']) && !inside.contains([' ', ';', '='])
    }

    fn step(&mut self) -> bool {
        let Some(c) = self.peek(0) else { return false };
        let compiled = matches!(self.language, Language::C | Language::Go | Language::Rust | Language::Java);
        let hash = !matches!(
            self.language,
            Language::Js | Language::Lua | Language::Mongo | Language::Go | Language::Rust | Language::Java
        );
        let slashes = compiled || matches!(self.language, Language::Js | Language::Php | Language::Mongo);
        match c {
            '\n' | ';' => self.single(Token::End),
            c if c.is_whitespace() => self.at += 1,
            '#' if hash => self.skip_line(),
            '/' if slashes && self.peek(1) == Some('/') => self.skip_line(),
            '-' if self.language == Language::Lua && self.peek(1) == Some('-') => self.skip_line(),
            '/' if slashes && self.peek(1) == Some('*') => {
                self.at += 2;
                while self.peek(0).is_some() && !(self.peek(0) == Some('*') && self.peek(1) == Some('/')) {
                    self.at += 1;
                }
                self.at += 2;
            }
            '/' if matches!(self.language, Language::Js | Language::Mongo) && self.begins_pattern() => self.pattern(),
            // a character, or the name of a lifetime
            '\'' if compiled => {
                let length = (1..5).find(|ahead| self.peek(*ahead) == Some('\''));
                self.at += length.map_or(1, |length| length + 1);
            }
            '\'' | '"' => self.string(c, false),
            '`' if self.language == Language::Js || self.language == Language::Mongo => self.string(c, false),
            '`' if self.language == Language::Go => self.string(c, false),
            '`' => self.string(c, true),
            '%' if self.language == Language::Ruby
                && self.peek(1) == Some('x')
                && self.peek(2).is_some_and(|c| !c.is_alphanumeric() && c != ' ') =>
            {
                self.at += 2;
                self.delimited(true);
            }
            '%' if self.language == Language::Ruby
                && matches!(self.peek(1), Some('w' | 'W' | 'i' | 'I'))
                && self.peek(2).is_some_and(|c| "[({<|!/".contains(c)) =>
            {
                self.at += 2;
                self.words();
            }
            '[' if self.language == Language::Lua && self.peek(1) == Some('[') => {
                self.at += 2;
                let mut text = String::new();
                while let Some(c) = self.peek(0) {
                    if c == ']' && self.peek(1) == Some(']') {
                        break;
                    }
                    text.push(c);
                    self.at += 1;
                }
                self.at += 2;
                self.out.push(Token::Text { text, holes: Vec::new() });
            }
            // `<*.c>` is a glob
            '<' if self.language == Language::Perl && self.is_glob() => {
                self.at += 1;
                let mut text = String::new();
                while let Some(c) = self.peek(0).filter(|c| *c != '>') {
                    text.push(c);
                    self.at += 1;
                }
                self.at += 1;
                self.out.push(Token::Text { text, holes: Vec::new() });
            }
            '%' if self.language == Language::Perl && self.peek(1) == Some('E') && self.peek(2) == Some('N') => {
                self.at += 1;
            }
            '$' | '@' if self.peek(1).is_some_and(|c| c == '_' || c.is_alphabetic()) => self.at += 1,
            '$' if self.language == Language::Js => self.name(),
            c if c == '_' || c.is_alphabetic() => self.name(),
            c if c.is_ascii_digit() => {
                let mut text = String::new();
                while let Some(c) = self.peek(0).filter(|c| c.is_alphanumeric() || *c == '_') {
                    text.push(c);
                    self.at += 1;
                }
                self.out.push(Token::Number(text));
            }
            ':' if self.peek(1) == Some(':') => self.double(Token::Arrow),
            // of Java it stands before what a closure does
            '-' if self.peek(1) == Some('>') && self.language != Language::Java => self.double(Token::Arrow),
            '.' if self.peek(1) == Some('.') => self.double(Token::Dots),
            '?' if self.peek(1) == Some('.') => self.double(Token::Sign('.')),
            c => self.single(Token::Sign(c)),
        }
        true
    }

    /// Whether a slash opens a regular expression: it stands where a value begins, and is closed on its line.
    fn begins_pattern(&self) -> bool {
        let value = match self.out.last() {
            None | Some(Token::End) => true,
            Some(Token::Sign(sign)) => !matches!(sign, ')' | ']' | '}'),
            Some(Token::Name(word)) => matches!(word.as_str(), "return" | "typeof" | "case" | "in" | "of"),
            _ => false,
        };
        let line = || (1..).map_while(|ahead| self.peek(ahead)).take_while(|c| *c != '\n');
        value && line().any(|c| c == '/')
    }

    /// A regular expression and its flags, which name nothing.
    fn pattern(&mut self) {
        self.at += 1;
        let mut class = false;
        while let Some(c) = self.peek(0).filter(|c| *c != '\n') {
            self.at += if c == '\\' { 2 } else { 1 };
            match c {
                '[' => class = true,
                ']' => class = false,
                '/' if !class => break,
                _ => {}
            }
        }
        while self.peek(0).is_some_and(char::is_alphabetic) {
            self.at += 1;
        }
        self.out.push(Token::Name("RegExp".to_owned()));
    }

    fn single(&mut self, token: Token) {
        self.at += 1;
        self.out.push(token);
    }

    fn double(&mut self, token: Token) {
        self.at += 2;
        self.out.push(token);
    }

    fn skip_line(&mut self) {
        while self.peek(0).is_some_and(|c| c != '\n') {
            self.at += 1;
        }
    }

    fn name(&mut self) {
        let mut text = String::new();
        let sigils = matches!(self.language, Language::Js | Language::Mongo | Language::Java);
        while let Some(c) = self.peek(0).filter(|c| c.is_alphanumeric() || *c == '_' || *c == '$' && sigils) {
            text.push(c);
            self.at += 1;
        }
        let next = self.peek(0);
        match (self.language, text.as_str(), next) {
            // prefixes of strings
            (Language::Python, "f" | "F" | "rf" | "fr" | "Rf" | "fR", Some(c @ ('\'' | '"'))) => {
                self.string_with(c, false, true);
            }
            (Language::Python, "r" | "R" | "b" | "B" | "u" | "rb" | "br" | "Rb", Some(c @ ('\'' | '"'))) => {
                self.string_with(c, false, false);
            }
            (Language::Perl, "q" | "qq", Some(c)) if "({[<|/!~".contains(c) => self.delimited(false),
            (Language::Perl, "qw", Some(c)) if "({[<|/!".contains(c) => self.words(),
            (Language::Perl, "qx", Some(c)) if "({[<|/!~'".contains(c) => self.delimited(true),
            _ => self.out.push(Token::Name(text)),
        }
    }

    fn string(&mut self, quote: char, shell: bool) {
        let holes = match self.language {
            Language::Python | Language::C | Language::Go => false,
            Language::Rust | Language::Java => true,
            Language::Js | Language::Mongo => quote == '`',
            _ => quote != '\'',
        };
        self.string_with(quote, shell, holes);
    }

    /// A text between equal quotes, or three of them in Python.
    fn string_with(&mut self, quote: char, shell: bool, with_holes: bool) {
        let triple = self.language == Language::Python && self.peek(1) == Some(quote) && self.peek(2) == Some(quote);
        self.at += if triple { 3 } else { 1 };
        let closes =
            |l: &Self| l.peek(0) == Some(quote) && (!triple || l.peek(1) == Some(quote) && l.peek(2) == Some(quote));
        self.body(&closes, shell, with_holes);
        self.at += if triple { 3 } else { 1 };
    }

    /// A text between brackets or any other pair, as `q{..}` and `%x(..)` have it.
    fn delimited(&mut self, shell: bool) {
        let Some(open) = self.peek(0) else { return };
        let close = match open {
            '(' => ')',
            '{' => '}',
            '[' => ']',
            '<' => '>',
            other => other,
        };
        self.at += 1;
        self.body(&|l: &Self| l.peek(0) == Some(close), shell, true);
        self.at += 1;
    }

    /// A list of words between brackets: `%w[a b]` of Ruby, `qw(a b)` of Perl.
    fn words(&mut self) {
        self.delimited(false);
        if let Some(Token::Text { text, .. }) = self.out.pop() {
            self.out.push(Token::Sign('['));
            for word in text.split_whitespace() {
                self.out.push(Token::Text { text: word.to_owned(), holes: Vec::new() });
                self.out.push(Token::Sign(','));
            }
            self.out.push(Token::Sign(']'));
        }
    }

    /// Whether a brace opens `{name}` or `{name:?}`.
    fn names_argument(&self) -> bool {
        let ends = (1..64).find(|ahead| self.peek(*ahead).is_none_or(|c| !c.is_alphanumeric() && c != '_'));
        let Some(end) = ends.filter(|end| *end > 1) else { return false };
        let closes = |ahead: usize| self.peek(ahead) == Some('}');
        closes(end) || self.peek(end) == Some(':') && (end..end + 8).any(closes)
    }

    fn body(&mut self, closes: &dyn Fn(&Self) -> bool, shell: bool, with_holes: bool) {
        let mut text = String::new();
        let mut holes = Vec::new();
        while let Some(c) = self.peek(0) {
            if closes(self) {
                break;
            }
            if c == '\\' {
                text.push(c);
                text.extend(self.peek(1));
                self.at += 2;
                continue;
            }
            let opener = match self.language {
                Language::Python => c == '{' && self.peek(1) != Some('{'),
                Language::Js | Language::Mongo => c == '$' && self.peek(1) == Some('{'),
                // `{name}` of `format!`
                Language::Rust => c == '{' && self.names_argument(),
                // of Kotlin, Scala and Groovy
                Language::Java => c == '$' && self.peek(1).is_some_and(|c| c.is_alphabetic() || c == '{'),
                Language::Ruby => c == '#' && self.peek(1) == Some('{'),
                Language::Perl | Language::Php => {
                    matches!(c, '$' | '@') && self.peek(1).is_some_and(|c| c.is_alphabetic() || c == '_' || c == '{')
                }
                _ => false,
            };
            if !(with_holes && opener) {
                text.push(c);
                self.at += 1;
                continue;
            }
            let mut hole = String::new();
            let bare = self.language == Language::Java && self.peek(1) != Some('{');
            if bare || matches!(self.language, Language::Perl | Language::Php) {
                self.at += 1;
                while let Some(c) = self.peek(0).filter(|c| c.is_alphanumeric() || *c == '_') {
                    hole.push(c);
                    self.at += 1;
                }
                if hole.is_empty() {
                    self.at += 1;
                }
                // `$ENV{NAME}`, `$names{key}`
                if self.language == Language::Perl && !hole.is_empty() && self.peek(0) == Some('{') {
                    while let Some(c) = self.peek(0) {
                        hole.push(c);
                        self.at += 1;
                        if c == '}' {
                            break;
                        }
                    }
                }
            } else {
                self.at += if matches!(self.language, Language::Python | Language::Rust) { 1 } else { 2 };
                let mut depth = 0_usize;
                while let Some(c) = self.peek(0) {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        _ => {}
                    }
                    hole.push(c);
                    self.at += 1;
                }
                self.at += 1;
            }
            if self.language == Language::Rust {
                hole.truncate(hole.find(':').unwrap_or(hole.len()));
            }
            text.push_str("$_");
            holes.push(hole);
        }
        let text = if text.contains('\\') { unescape(&text) } else { text };
        self.out.push(if shell { Token::Shell { text, holes } } else { Token::Text { text, holes } });
    }
}
