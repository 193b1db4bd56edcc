//! The variables that send a program's traffic through the egress proxy, and make it trust what it meets there.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use rampart_certs::{Authority, system_roots, trust};
use rampart_client::wire::Status;
use rampart_egress::{NODE_PRELOAD, proxy_variables};
use rampart_gateway::Home;

/// Every variable with its value, in the order they are printed.
pub(crate) fn variables(
    status: &Status,
    home: &Home,
    node_options: Option<&str>,
) -> anyhow::Result<Vec<(&'static str, String)>> {
    let Some(address) = &status.egress else {
        bail!(
            "the gateway runs without its egress proxy; its log says why, and `egress.listen` in config.yaml moves it"
        );
    };
    let address = address.parse().with_context(|| format!("the gateway tells no address: {address}"))?;
    let authority = Authority::open(&home.ca())?;
    let ours = Authority::certificate_path(&home.ca());
    let all = authority.write_bundle(&home.ca(), &system_roots())?;
    let preload = put(&home.state().join("node-proxy.cjs"), NODE_PRELOAD)?;
    let mut variables = proxy_variables(address, None, preload.to_str());
    for (name, value) in &mut variables {
        // What the user tells Node stays; ours comes on top, once.
        if *name == "NODE_OPTIONS"
            && let Some(theirs) = node_options.filter(|theirs| !theirs.contains(value.as_str()))
        {
            *value = format!("{theirs} {value}");
        }
    }
    variables.extend(trust::VARIABLES.iter().map(|variable| {
        let file = match variable.kind {
            trust::Kind::Adds => &ours,
            trust::Kind::Replaces => &all,
        };
        (variable.name, file.display().to_string())
    }));
    Ok(variables)
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
