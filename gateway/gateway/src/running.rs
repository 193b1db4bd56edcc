//! How the gateway runs at this moment: `config.yaml`, with the flags of its start on top. What can change while it runs is
//! taken over as soon as the file changes; what cannot waits for the next start, and `status` says so.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use arc_swap::{ArcSwap, Guard};
use tracing::{info, warn};

use crate::{Config, Gateway, Mode, config::Audit, unanswered};

/// What the flags make of what the file says.
type Flags = Box<dyn Fn(Config) -> Result<Config, String> + Send + Sync>;

/// The configuration in force.
pub(crate) struct Running {
    now: ArcSwap<Config>,
    flags: OnceLock<Flags>,
    file: Mutex<FileStatus>,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("now", &self.now).field("file", &self.file).finish_non_exhaustive()
    }
}

/// `config.yaml` as it is now, where it is not what runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FileStatus {
    /// Why it does not load; what was in force stays so.
    pub rejected: Option<String>,
    /// Its keys whose changes wait for the next start.
    pub waiting: Vec<&'static str>,
    /// The mode that it names where a flag says otherwise: a gateway that a surface starts has no flags.
    pub mode: Option<Mode>,
}

/// What looking at the file again came to.
#[derive(Debug, PartialEq, Eq)]
enum Looked {
    Same,
    Changed,
    Rejected(String),
}

impl Running {
    pub(crate) fn new(config: Config) -> Self {
        Self { now: ArcSwap::from_pointee(config), flags: OnceLock::new(), file: Mutex::default() }
    }

    pub(crate) fn now(&self) -> Guard<Arc<Config>> {
        self.now.load()
    }

    fn file(&self) -> MutexGuard<'_, FileStatus> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over what the file says, as far as that can be while the gateway runs.
    fn take(&self, file: Result<Config, String>, flags: &Flags) -> Looked {
        let mut known = self.file();
        let named = file.as_ref().ok().map(|config| config.mode);
        let fresh = match file.and_then(flags) {
            Ok(fresh) => fresh,
            Err(why) if known.rejected.as_ref() == Some(&why) => return Looked::Same,
            Err(why) => {
                known.rejected = Some(why.clone());
                return Looked::Rejected(why);
            }
        };
        let now = self.now.load_full();
        let next = taking_over(&now, &fresh);
        let mode = named.filter(|mode| *mode != next.mode);
        let status = FileStatus { rejected: None, waiting: waiting(&next, &fresh), mode };
        let changed = next != *now || status != *known;
        *known = status;
        self.now.store(Arc::new(next));
        if changed { Looked::Changed } else { Looked::Same }
    }
}

/// What runs once the parts of `fresh` that need no new start are taken over.
fn taking_over(now: &Config, fresh: &Config) -> Config {
    let Audit { allow_on_failure, keep_age, keep_bytes, .. } = fresh.audit;
    Config {
        mode: fresh.mode,
        approval_timeout: fresh.approval_timeout,
        headless: fresh.headless,
        surfaces: fresh.surfaces.clone(),
        notify: fresh.notify.clone(),
        audit: Audit { allow_on_failure, keep_age, keep_bytes, ..now.audit.clone() },
        // Commands read these by themselves.
        registry: fresh.registry.clone(),
        upgrade: fresh.upgrade.clone(),
        mcp: fresh.mcp.clone(),
        jail: fresh.jail.clone(),
        ..now.clone()
    }
}

/// The keys that listeners, tasks and files were made by at the start.
fn waiting(now: &Config, fresh: &Config) -> Vec<&'static str> {
    let keys = [
        ("listen", now.listen != fresh.listen),
        ("listen_as", now.listen_as != fresh.listen_as),
        ("egress", now.egress != fresh.egress),
        ("audit", now.audit != fresh.audit),
        ("approvals.base_url", now.approval_base_url != fresh.approval_base_url),
        ("syslog", now.syslog != fresh.syslog),
        ("otel", now.otel != fresh.otel),
        ("credentials", now.credentials != fresh.credentials),
        ("secrets", now.secrets != fresh.secrets),
    ];
    keys.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}

impl Gateway {
    /// How it runs at this moment.
    pub fn config(&self) -> Guard<Arc<Config>> {
        self.config.now()
    }

    /// `config.yaml` as it is now, where it is not what runs.
    pub fn config_file(&self) -> FileStatus {
        self.config.file().clone()
    }

    /// From now on `config.yaml` is taken over whenever it changes; `flags` is what stands on top of it.
    pub fn follow_config(&self, flags: impl Fn(Config) -> Result<Config, String> + Send + Sync + 'static) {
        let flags: Flags = Box::new(flags);
        // It was read a moment ago, so this only notes what the flags hide.
        self.config.take(self.read_config(), &flags);
        let _ = self.config.flags.set(flags);
    }

    fn read_config(&self) -> Result<Config, String> {
        let text = self.home.config().map_err(|e| e.to_string())?.unwrap_or_default();
        let name = self.home.config_file().display().to_string();
        let first = |wrong: Vec<_>| wrong.first().map(ToString::to_string).unwrap_or_default();
        Config::parse(&text, &name).map_err(first)
    }

    /// Looks at `config.yaml` again.
    pub(crate) async fn reload_config(&self) {
        let Some(flags) = self.config.flags.get() else { return };
        match self.config.take(self.read_config(), flags) {
            Looked::Same => {}
            Looked::Changed => {
                let now = Arc::clone(&self.config());
                let waiting = self.config_file().waiting;
                info!(mode = %now.mode, "config.yaml changed and is in force");
                if !waiting.is_empty() {
                    warn!("changes of {} in config.yaml wait for the next start", waiting.join(", "));
                }
                self.notices.change(now.notify.clone());
                if let Err(e) = unanswered::tell(&self.home, &now) {
                    warn!("surfaces cannot be told what to do without an answer: {e}");
                }
                self.record_config("reloaded").await;
            }
            Looked::Rejected(why) => {
                warn!("config.yaml as it is now does not load, what was in force stays so: {why}");
                self.record_config_change("rejected", &why).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn take(running: &Running, text: &str) -> Looked {
        let file = Config::parse(text, "config.yaml").map_err(|wrong| wrong[0].to_string());
        let flags: Flags = Box::new(|config| Ok(Config { mode: Mode::Monitor, ..config }));
        running.take(file, &flags)
    }

    #[test]
    fn what_can_change_does_and_what_cannot_waits() {
        let running = Running::new(Config { mode: Mode::Monitor, ..Config::default() });
        assert_eq!(take(&running, ""), Looked::Changed, "what the flag hides is new");
        assert_eq!(running.file().mode, Some(Mode::Enforce));
        assert_eq!(take(&running, "mode: enforce"), Looked::Same);
        assert_eq!(take(&running, "surfaces: {fail_open: [hook]}\napprovals: {timeout: 5s}"), Looked::Changed);
        assert_eq!(running.now().approval_timeout, Duration::from_secs(5));
        assert_eq!((running.now().surfaces.fail_open.len(), running.file().waiting.len()), (1, 0));
        assert_eq!(running.now().mode, Mode::Monitor, "the flag stands on top");

        let text = "listen: 127.0.0.1:1\naudit: {on_failure: allow, durability: strict}\nmode: monitor";
        assert_eq!(take(&running, text), Looked::Changed);
        assert_eq!(running.file().waiting, ["listen", "audit"]);
        assert_eq!(running.file().mode, None);
        assert!(running.now().audit.allow_on_failure && !running.now().audit.strict);
        assert_eq!(running.now().listen, Config::default().listen);
        assert_eq!(take(&running, ""), Looked::Changed);
        assert!(running.file().waiting.is_empty());
    }

    #[test]
    fn what_does_not_load_changes_nothing_and_is_told_once() {
        let running = Running::new(Config::default());
        take(&running, "approvals: {timeout: 5s}");
        assert!(matches!(take(&running, "mode: loud"), Looked::Rejected(_)));
        assert_eq!(take(&running, "mode: loud"), Looked::Same);
        assert!(running.file().rejected.is_some());
        assert_eq!(running.now().approval_timeout, Duration::from_secs(5));
        assert_eq!(take(&running, "approvals: {timeout: 5s}"), Looked::Changed);
        assert_eq!(running.file().rejected, None);
    }
}
