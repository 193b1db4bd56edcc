//! The arguments of `rampart token`.

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub(crate) enum TokenVerb {
    /// Make a token and show it, once
    Create(NewToken),
    /// List the tokens, never their text
    List {
        /// Also the credentials of running sessions
        #[arg(long)]
        all: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// End a token at once, with everything that is open under it
    Revoke {
        /// Its name, or any unique beginning of its id
        token: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Give a token a new text; the old one ends at once
    Rotate {
        /// Its name, any unique beginning of its id, or `home` for the token file of Rampart's home
        token: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct NewToken {
    /// What to call it
    #[arg(long, value_name = "NAME", default_value = "")]
    pub(crate) name: String,
    /// What it may do (may be repeated)
    #[arg(long, value_name = "SCOPE", required = true, value_delimiter = ',')]
    pub(crate) scope: Vec<TokenScope>,
    /// Only calls and questions of this agent
    #[arg(long, value_name = "NAME")]
    pub(crate) agent: Option<String>,
    /// Only questions that this policy asks
    #[arg(long, value_name = "NAME")]
    pub(crate) policy: Option<String>,
    /// How long it lasts, such as 12h or 30d [default: until it is revoked]
    #[arg(long, value_name = "TIME")]
    pub(crate) expires: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TokenScope {
    /// Have calls decided
    Decide,
    /// See questions and records, and answer questions
    Approve,
    /// See and change what is in force; includes the others
    Admin,
}

impl TokenScope {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Decide => "decide",
            Self::Approve => "approve",
            Self::Admin => "admin",
        }
    }
}
