//! A registry of policies out there: whose word counts, and how its list and its policies get here.

pub(crate) mod index;

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, bail, ensure};
use bytes::{Bytes, BytesMut};
use http::{Request, header};
use http_body_util::{BodyExt as _, Full};
use rampart_gateway::{Home, PublicKey};
use serde::{Deserialize, Serialize};
use tower::ServiceExt as _;
use url::Url;

use crate::{
    args::Trusted,
    configuration,
    environment::Environment,
    outbound,
    printer::Printer,
    registry::index::{Entry, Index, sha256},
    user_overrides::{replace, text_of},
};

/// The most bytes of a list, or of a policy.
const MOST_BYTES: usize = 1 << 20;
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// What is remembered of lists, below the home's `state/`.
const SEEN: &str = "registry.json";

/// A registry that is trusted.
pub(crate) struct Registry {
    pub(crate) url: Url,
    key: PublicKey,
    client: rampart_egress::Client,
    home: Home,
}

/// The newest list that was seen of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    serial: u64,
    sha256: String,
}

impl Registry {
    /// The registry that the flags name, or that `config.yaml` names; none where neither does.
    ///
    /// # Errors
    /// When what they say makes no sense.
    pub(crate) fn configured(
        from: &Trusted,
        environment: &Environment,
        printer: Printer,
    ) -> anyhow::Result<Option<Self>> {
        let home = Home::at(&environment.home);
        let config = configuration::read(&home, printer)?;
        let named = config.registry.as_ref();
        let Some(url) = from.registry.as_deref().or(named.map(|r| r.url.as_str())) else {
            ensure!(from.key.is_none(), "--key says whom to trust; say with --registry where the list is");
            return Ok(None);
        };
        let key = match (&from.key, named) {
            (Some(key), _) => key.parse().map_err(|why| anyhow::anyhow!("--key: {why}"))?,
            (None, Some(named)) if named.url == url => named.key,
            (None, _) => bail!("whose signature counts for {url}? Give its public key with --key"),
        };
        let url = Url::parse(url).with_context(|| format!("`{url}` is no URL"))?;
        ensure!(url.scheme() == "https", "{url} is not https, and a registry is read over nothing else");
        Ok(Some(Self { url, key, client: outbound::client(&config)?, home }))
    }

    /// The list as it is now. An older one than was seen before is refused unless it is forced.
    ///
    /// # Errors
    /// When it cannot be had, is not signed by the key that is trusted, or is older than one that was seen.
    pub(crate) fn index(&self, force: bool, printer: Printer) -> anyhow::Result<Index> {
        let mut signature = self.url.clone();
        signature.set_path(&format!("{}.sig", self.url.path()));
        let (bytes, signature) = (self.get(&self.url)?, self.get(&signature)?);
        let index = Index::verified(&bytes, &signature, &self.key).with_context(|| format!("the list {}", self.url))?;
        let path = self.home.state().join(SEEN);
        let mut all: BTreeMap<String, Seen> = match text_of(&path)?.as_str() {
            "" => BTreeMap::new(),
            text => serde_json::from_str(text).with_context(|| format!("{} is damaged; remove it", path.display()))?,
        };
        let now = Seen { serial: index.serial, sha256: sha256(&bytes) };
        if let Some(before) = all.get(&self.key.to_string())
            && (now.serial < before.serial || (now.serial == before.serial && now != *before))
        {
            let why = format!(
                "the list {} has serial {}, and one with serial {} was seen already",
                self.url, now.serial, before.serial
            );
            ensure!(force, "{why}: somebody may hand out an old list; if you know why, give --force");
            printer.note(format!("{why}; going on as forced"));
        }
        if all.insert(self.key.to_string(), now.clone()) != Some(now) {
            replace(&path, &serde_json::to_string(&all)?, 0o600)?;
        }
        Ok(index)
    }

    /// The text of a policy in the list.
    ///
    /// # Errors
    /// When it cannot be had, or is not the text that the list speaks of.
    pub(crate) fn policy(&self, entry: &Entry) -> anyhow::Result<String> {
        let url = self.url.join(&entry.url).with_context(|| format!("`{}` is no URL", entry.url))?;
        ensure!(url.scheme() == "https", "{url} is not https, and a policy is read over nothing else");
        let bytes = self.get(&url)?;
        ensure!(entry.is_text(&bytes), "{url} is not what the list says: its SHA-256 is {}", sha256(&bytes));
        String::from_utf8(bytes.into()).with_context(|| format!("{url} is not text"))
    }

    /// One answer, bounded in time and size.
    fn get(&self, url: &Url) -> anyhow::Result<Bytes> {
        let request = Request::get(url.as_str())
            .header(header::ACCEPT, "*/*")
            .header(header::USER_AGENT, concat!("rampart/", env!("CARGO_PKG_VERSION")))
            .body(Full::default())?;
        let client = self.client.clone();
        let answer = async move {
            let response = client.oneshot(request).await.map_err(|e| anyhow::anyhow!("{e}"))?;
            let (head, mut body) = response.into_parts();
            ensure!(!head.status.is_redirection(), "it leads elsewhere ({}), and no redirect is followed", head.status);
            ensure!(head.status.is_success(), "it answers {}", head.status);
            let mut bytes = BytesMut::new();
            while let Some(frame) = body.frame().await {
                let Ok(data) = frame.map_err(|e| anyhow::anyhow!("{e}"))?.into_data() else { continue };
                ensure!(bytes.len() + data.len() <= MOST_BYTES, "it is longer than {} KiB", MOST_BYTES / 1024);
                bytes.extend_from_slice(&data);
            }
            Ok(bytes.freeze())
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let answer = runtime.block_on(async { tokio::time::timeout(PATIENCE, answer).await });
        let answer = answer.unwrap_or_else(|_| bail!("it did not answer within {} seconds", PATIENCE.as_secs()));
        answer.with_context(|| format!("cannot read {url}"))
    }
}
