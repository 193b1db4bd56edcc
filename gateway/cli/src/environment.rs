//! What the surroundings of the process say. Read once, here and nowhere else.

use std::{ffi::OsString, path::PathBuf};

use rampart_call::TraceParent;

/// What agents set in the commands that they run.
const MARKS: [(&str, &str); 7] = [
    ("CLAUDECODE", "Claude Code"),
    ("CODEX_THREAD_ID", "Codex"),
    ("COPILOT_CLI", "Copilot"),
    ("CRUSH", "Crush"),
    ("CURSOR_AGENT", "Cursor"),
    ("GEMINI_CLI", "Gemini"),
    ("OPENCODE", "OpenCode"),
];

/// The environment variables that matter, and where things are.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    /// The user's home directory.
    pub(crate) user_home: PathBuf,
    /// Rampart's home: `RAMPART_HOME`, else `~/.rampart`.
    pub(crate) home: PathBuf,
    /// Working directory.
    pub(crate) cwd: PathBuf,
    /// `RAMPART_TOKEN`: a token that `rampart serve` takes beside those it knows, and that all else bears.
    pub(crate) token: Option<String>,
    /// `RAMPART_CREDENTIAL`: what the processes of a session bear.
    pub(crate) credential: Option<String>,
    /// `RAMPART_AUTOSTART` is not `0`: a road that finds no gateway starts one.
    pub(crate) autostart: bool,
    /// `RAMPART_NO_PROJECT_POLICY` is not `1`: a project's own policy is read.
    pub(crate) project_policy: bool,
    /// `RAMPART_SESSION`: the session that an outer `wrap` opened.
    pub(crate) session: Option<String>,
    /// `RAMPART_AGENT`: the agent that an outer `wrap` named.
    pub(crate) agent: Option<String>,
    /// The agent whose own mark is set: it runs this program.
    pub(crate) inside: Option<&'static str>,
    /// `RAMPART_LOG`: filter of the log on standard error.
    pub(crate) log: Option<String>,
    /// `NODE_OPTIONS`, to which the egress proxy's preload is added.
    pub(crate) node_options: Option<String>,
    /// `TRACEPARENT`: the span that this process was started in.
    pub(crate) trace: Option<TraceParent>,
    /// What the variables of OpenTelemetry say.
    pub(crate) otel: OtelVariables,
    /// `BROWSER`: the program that opens links.
    pub(crate) browser: Option<String>,
    /// `DISPLAY` or `WAYLAND_DISPLAY` is set: a window can be opened.
    pub(crate) display: bool,
    /// `PATH`.
    pub(crate) path: OsString,
}

/// The standard variables that decide whether and where something is sent; the library reads those about how.
#[derive(Debug, Clone, Default)]
pub(crate) struct OtelVariables {
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub(crate) endpoint: Option<String>,
    /// `OTEL_EXPORTER_OTLP_PROTOCOL`.
    pub(crate) protocol: Option<String>,
    /// `OTEL_SDK_DISABLED` is `true`.
    pub(crate) disabled: bool,
    /// `OTEL_SERVICE_NAME`.
    pub(crate) service: Option<String>,
    /// `OTEL_BSP_MAX_QUEUE_SIZE`: spans that may wait.
    pub(crate) span_queue: usize,
    /// `OTEL_BLRP_MAX_QUEUE_SIZE`: lines of the log that may wait.
    pub(crate) log_queue: usize,
}

impl Environment {
    /// Reads the environment of this process.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub(crate) fn read() -> anyhow::Result<Self> {
        let text = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        let user_home = std::env::var_os("HOME").filter(|h| !h.is_empty()).map(PathBuf::from);
        let home = match (std::env::var_os("RAMPART_HOME").filter(|h| !h.is_empty()), &user_home) {
            (Some(home), _) => std::path::absolute(home)?,
            (None, Some(user)) => user.join(".rampart"),
            (None, None) => anyhow::bail!("neither RAMPART_HOME nor HOME is set, so there is no place for the gateway"),
        };
        // OpenTelemetry's own default, and what it does with a value that is no number.
        let room = |name: &str| text(name).and_then(|value| value.parse().ok()).unwrap_or(2048);
        let token = text("RAMPART_TOKEN");
        if token.as_ref().is_some_and(|token| !token.bytes().all(|b| b.is_ascii_graphic())) {
            anyhow::bail!("RAMPART_TOKEN may hold visible ASCII characters only, since it is sent in a header");
        }
        Ok(Self {
            user_home: user_home.unwrap_or_else(|| PathBuf::from("/")),
            home,
            cwd: std::env::current_dir()?,
            token,
            credential: text("RAMPART_CREDENTIAL"),
            autostart: text("RAMPART_AUTOSTART").as_deref() != Some("0"),
            project_policy: text("RAMPART_NO_PROJECT_POLICY").as_deref() != Some("1"),
            session: text("RAMPART_SESSION"),
            agent: text("RAMPART_AGENT"),
            inside: MARKS.iter().find(|(mark, _)| text(mark).is_some()).map(|(_, agent)| *agent),
            log: text("RAMPART_LOG"),
            node_options: text("NODE_OPTIONS"),
            trace: text("TRACEPARENT").and_then(|parent| TraceParent::parse(&parent)),
            otel: OtelVariables {
                endpoint: text("OTEL_EXPORTER_OTLP_ENDPOINT"),
                protocol: text("OTEL_EXPORTER_OTLP_PROTOCOL"),
                disabled: text("OTEL_SDK_DISABLED").is_some_and(|word| word.eq_ignore_ascii_case("true")),
                service: text("OTEL_SERVICE_NAME"),
                span_queue: room("OTEL_BSP_MAX_QUEUE_SIZE"),
                log_queue: room("OTEL_BLRP_MAX_QUEUE_SIZE"),
            },
            browser: text("BROWSER"),
            display: text("DISPLAY").or(text("WAYLAND_DISPLAY")).is_some(),
            path: std::env::var_os("PATH").unwrap_or_default(),
        })
    }

    /// Every variable that is text.
    pub(crate) fn variables() -> impl Iterator<Item = (String, String)> {
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
    }

    /// One variable, for the few that only pass through.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
    pub(crate) fn variable(name: &str) -> Option<OsString> {
        std::env::var_os(name).filter(|value| !value.is_empty())
    }

    /// The project that the working directory belongs to.
    pub(crate) fn workspace(&self) -> PathBuf {
        rampart_shim::project(&self.cwd, Some(&self.user_home))
    }
}
