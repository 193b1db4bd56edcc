//! Manifests of clusters: which ones ask for more of a node than a container should have.

use rampart_call::EffectKind;

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
];

/// Looks at YAML or JSON that a cluster is told to apply.
pub(super) fn rights(walk: &mut Walk<'_>, arg: &Arg) -> Flow {
    let plain: String = arg.text.chars().filter(|c| !matches!(c, '"' | '\'' | ' ' | '\t')).collect();
    for pair in plain.split(['\n', ',', '{', '}', '[', ']']) {
        let Some((key, value)) = pair.trim_start_matches('-').split_once(':') else { continue };
        let key = key.to_ascii_lowercase();
        if RIGHTS.iter().any(|(known, wanted)| key == *known && (wanted.is_empty() || value.trim() == *wanted)) {
            walk.named(EffectKind::Privilege, "manifest", &key, "privileged-container");
        }
    }
    Flow::unknown(Taint::NONE)
}
