//! Manifests of clusters and compositions of containers: which ones ask for more of a machine than a container should have.

use rampart_call::EffectKind;

use crate::programs;
use crate::value::{Arg, Flow, Taint};
use crate::walk::Walk;

/// `key: value` pairs with which a pod has its node, or an account the cluster.
const RIGHTS: &[(&str, &str)] = &[
    ("privileged", "true"),
    ("hostpid", "true"),
    ("hostipc", "true"),
    ("hostnetwork", "true"),
    ("allowprivilegeescalation", "true"),
    ("hostpath", ""),
    ("name", "cluster-admin"),
    ("pid", "host"),
    ("ipc", "host"),
    ("userns_mode", "host"),
];

/// Looks at YAML or JSON that a cluster is told to apply.
pub(super) fn rights(walk: &mut Walk<'_>, arg: &Arg) -> Flow {
    let plain: String = arg.text.chars().filter(|c| !matches!(c, '"' | '\'' | ' ' | '\t')).collect();
    for pair in plain.split(['\n', ',', '{', '}', '[', ']']) {
        let pair = pair.trim_start_matches('-');
        let Some((key, value)) = pair.split_once(':') else { continue };
        // `/:/host` among the volumes of a service
        if key.starts_with(['/', '~']) && value.starts_with('/') {
            programs::mount(walk, &arg.with_text(pair), "");
        }
        let key = key.to_ascii_lowercase();
        if RIGHTS.iter().any(|(known, wanted)| key == *known && (wanted.is_empty() || value.trim() == *wanted)) {
            walk.named(EffectKind::Privilege, "manifest", &key, "privileged-container");
        }
    }
    Flow::unknown(Taint::NONE)
}
