//! What goes out: this program's own requests, and the variables that send another's traffic through the egress proxy and
//! make it trust what it meets there.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use rampart_certs::{Authority, CertificateDer, parse_pem, system_roots, trust};
use rampart_client::{Settings, wire::OpenedSession};
use rampart_egress::{Allowance, Client, NODE_PRELOAD, Override, proxy_variables};
use rampart_gateway::{Config, Home};

use crate::{environment::Environment, user_overrides::replace};

/// The one client for this program's own requests: it believes, resolves and enters what `egress` in config.yaml says.
///
/// # Errors
/// When that makes no sense.
pub(crate) fn client(config: &Config) -> anyhow::Result<Client> {
    Ok(Client::new(roots(config)?, resolve(config)?, allow_private(config)?)?)
}

/// Whom to believe over TLS besides the machine's roots: `egress.upstream_ca`.
///
/// # Errors
/// When a file holds no certificates.
pub(crate) fn roots(config: &Config) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let mut roots = Vec::new();
    for path in &config.egress.upstream_ca {
        let text =
            std::fs::read(path).with_context(|| format!("egress.upstream_ca: cannot read {}", path.display()))?;
        let certificates =
            parse_pem(&text).map_err(|why| anyhow::anyhow!("egress.upstream_ca: {}: {why}", path.display()))?;
        roots.extend(certificates);
    }
    Ok(roots)
}

/// Where names lead otherwise than DNS says: `egress.resolve`.
///
/// # Errors
/// When an entry cannot be understood.
pub(crate) fn resolve(config: &Config) -> anyhow::Result<Vec<Override>> {
    let resolve = config.egress.resolve.iter().map(|r| {
        let port = r.port.map(|port| format!(":{port}")).unwrap_or_default();
        let to = r.to_port.map_or_else(|| r.address.to_string(), |to| SocketAddr::new(r.address, to).to_string());
        let text = format!("{}{port}={to}", r.host);
        text.parse().map_err(|why| anyhow::anyhow!("egress.resolve: {why}"))
    });
    resolve.collect()
}

/// What may be reached although it is private: `egress.allow_private`.
///
/// # Errors
/// When an entry cannot be understood.
pub(crate) fn allow_private(config: &Config) -> anyhow::Result<Vec<Allowance>> {
    let allowed = config.egress.allow_private.iter();
    allowed.map(|text| text.parse().map_err(|why| anyhow::anyhow!("egress.allow_private: {why}"))).collect()
}

/// Every variable with its value, in the order they are printed. The proxy's address bears the session's credential.
pub(crate) fn variables(
    session: &OpenedSession,
    files: &Files,
    node_options: Option<&str>,
) -> anyhow::Result<Vec<(&'static str, String)>> {
    let address = address(session)?;
    let mut variables = proxy_variables(address, Some(credential(session)), files.preload.to_str());
    for (name, value) in &mut variables {
        // What the user tells Node stays; ours comes on top, once.
        if *name == "NODE_OPTIONS"
            && let Some(theirs) = node_options.filter(|theirs| !theirs.contains(value.as_str()))
        {
            *value = format!("{theirs} {value}");
        }
    }
    variables.extend(files.variables());
    if let Some((_, options)) = variables.iter_mut().find(|(name, _)| *name == JAVA) {
        *options = format!("{} {options}", java_proxy(address));
    }
    Ok(variables)
}

/// The variables that say where the proxy is and whose requests come, for who has those already that make tools trust it.
pub(crate) fn other_credential(session: &OpenedSession) -> anyhow::Result<Vec<(&'static str, String)>> {
    Ok(proxy_variables(address(session)?, Some(credential(session)), None))
}

fn address(session: &OpenedSession) -> anyhow::Result<SocketAddr> {
    let Some(address) = &session.egress else {
        bail!(
            "the gateway runs without its egress proxy: most likely another program has its address, {} unless \
             `egress.listen` in config.yaml says otherwise; its log says why",
            Config::default().egress.listen
        );
    };
    address.parse().with_context(|| format!("the gateway tells no address: {address}"))
}

fn credential(session: &OpenedSession) -> (&str, &str) {
    (&session.session, &session.credential)
}

/// What every Java program reads; it says so on its standard error.
const JAVA: &str = "JAVA_TOOL_OPTIONS";

/// Java takes no user name and password for a proxy from here, so its requests are nobody's in particular.
fn java_proxy(address: SocketAddr) -> String {
    let (host, port) = (address.ip(), address.port());
    let of = |scheme: &str| format!("-D{scheme}.proxyHost={host} -D{scheme}.proxyPort={port}");
    format!("{} {} -Dhttp.nonProxyHosts=localhost|127.*|[::1]", of("http"), of("https"))
}

/// What tools are pointed to.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    /// The authority's certificate, for tools that add it to their own roots.
    ours: PathBuf,
    /// That and the machine's roots, for tools whose own are replaced.
    all: PathBuf,
    /// The same for Java, where it could be made.
    java: PathBuf,
    /// What Node.js loads first.
    preload: PathBuf,
}

impl Files {
    /// Those of the gateway that this user asks: a home's are written anew, the machine's stand beside its socket.
    ///
    /// # Errors
    /// When they cannot be written, or are not there.
    pub(crate) fn of(environment: &Environment) -> anyhow::Result<Self> {
        let settings = Settings::of(&environment.home);
        let home = Home::at(&environment.home);
        if !settings.is_of_the_machine() {
            return Self::write(&home);
        }
        home.prepare()?;
        let folder = settings.socket.parent().context("the machine's gateway has its socket in a folder")?;
        let files = Self::below(folder);
        let missing = [&files.ours, &files.all, &files.preload].into_iter().find(|path| !path.is_file());
        match missing {
            Some(path) => bail!("{} is not there: the machine's gateway does not run", path.display()),
            None => Ok(files),
        }
    }

    fn write(home: &Home) -> anyhow::Result<Self> {
        let certificate = match Authority::certificate_in(&home.ca())? {
            Some(certificate) => certificate,
            None => Authority::open(&home.ca())?.certificate().clone(),
        };
        Ok(Self {
            ours: Authority::certificate_path(&home.ca()),
            all: match Authority::current_bundle(&certificate, &home.ca()) {
                Some(bundle) => bundle,
                None => Authority::write_bundle(&certificate, &home.ca(), &system_roots())?,
            },
            java: Authority::java_path(&home.ca()),
            preload: put(&home.state().join("node-proxy.cjs"), NODE_PRELOAD)?,
        })
    }

    fn below(folder: &Path) -> Self {
        let [ours, all, java, preload] =
            ["ca.pem", "bundle.pem", "bundle.p12", "node-proxy.cjs"].map(|name| folder.join(name));
        Self { ours, all, java, preload }
    }

    /// Where those of a home are, once they were written.
    fn places(home: &Home) -> [PathBuf; 4] {
        let ours = Authority::certificate_path(&home.ca());
        [ours, home.ca().join("bundle.pem"), Authority::java_path(&home.ca()), home.state().join("node-proxy.cjs")]
    }

    /// Everything of a home that an agent is given to read, where it really is: these, the shells that ask, the library, and
    /// what an agent loads as its plugin.
    pub(crate) fn given(home: &Home) -> Vec<PathBuf> {
        let state = home.state();
        let folders = [state.join("shells"), state.join("preload"), home.root().join("agents")];
        Self::places(home).into_iter().chain(folders).filter_map(|path| path.canonicalize().ok()).collect()
    }

    /// The file with the authority's certificate.
    pub(crate) fn ours(&self) -> &Path {
        &self.ours
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        let variables = trust::VARIABLES.iter().map(|variable| {
            let file = match variable.kind {
                trust::Kind::Adds => &self.ours,
                trust::Kind::Replaces => &self.all,
            };
            (variable.name, file.display().to_string())
        });
        let mut variables: Vec<(&'static str, String)> = variables.collect();
        if let Some(ours) = self.java.to_str().filter(|_| self.java.is_file()).and_then(trust::java_options) {
            let theirs = Environment::variable(JAVA).and_then(|options| options.into_string().ok());
            // What the user tells Java stays; ours comes on top, once.
            let options = theirs.filter(|theirs| !theirs.contains(&ours)).map(|theirs| format!("{theirs} {ours}"));
            variables.push((JAVA, options.unwrap_or(ours)));
        }
        variables
    }
}

/// Puts copies into a folder where every user can read them.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn publish(home: &Home, folder: &Path) -> anyhow::Result<()> {
    let (kept, public) = (Files::write(home)?, Files::below(folder));
    for (from, to) in [(&kept.ours, &public.ours), (&kept.all, &public.all), (&kept.preload, &public.preload)] {
        let text = std::fs::read_to_string(from).with_context(|| format!("cannot read {}", from.display()))?;
        replace(to, &text, 0o644)?;
    }
    if kept.java.is_file() {
        std::fs::copy(&kept.java, &public.java).with_context(|| format!("cannot write {}", public.java.display()))?;
    }
    Ok(())
}

/// The variables that make tools trust the authority of a home, or of the gateway whose public files are in `folder`.
pub(crate) fn trust(home: &Home, folder: Option<&Path>) -> anyhow::Result<Vec<(&'static str, String)>> {
    Ok(folder.map_or_else(|| Files::write(home), |folder| Ok(Files::below(folder)))?.variables())
}

/// Puts a file in place at once, unless it is there already.
fn put(path: &Path, text: &str) -> anyhow::Result<PathBuf> {
    if std::fs::read_to_string(path).is_ok_and(|there| there == text) {
        return Ok(path.to_owned());
    }
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    let write = std::fs::write(&draft, text).and_then(|()| std::fs::rename(&draft, path));
    write.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path.to_owned())
}
