//! What an agent could do to the rules rather than to a packet: change them, become who is exempt from them, or ask somebody
//! who is not bound by them. Each is tried, and undone where it succeeds.

use std::{os::unix::net::UnixStream, thread};

use rampart_egress::{Leads, Way};
use rampart_jail::{Redirection, RulesError};
use rustix::{
    process::Uid,
    thread::{CapabilitySet, capability_is_in_bounding_set, no_new_privs, set_thread_uid},
};

/// Where engines listen that start containers for whoever asks.
const ENGINES: [&str; 5] = [
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/run/crio/crio.sock",
];
/// What lets a program past the rules, and a set-user-ID program gain it (capabilities(7)).
const DANGEROUS: [(CapabilitySet, &str); 6] = [
    (CapabilitySet::NET_ADMIN, "CAP_NET_ADMIN"),
    (CapabilitySet::NET_RAW, "CAP_NET_RAW"),
    (CapabilitySet::SETUID, "CAP_SETUID"),
    (CapabilitySet::SYS_ADMIN, "CAP_SYS_ADMIN"),
    (CapabilitySet::SYS_PTRACE, "CAP_SYS_PTRACE"),
    (CapabilitySet::BPF, "CAP_BPF"),
];

/// Tries all of it.
pub(in crate::commands) fn tried(proxy_uid: u32) -> Vec<Way> {
    vec![rules(proxy_uid), proxy_user(proxy_uid), gained(), engines()]
}

fn closed(name: &'static str, evidence: impl Into<String>) -> Way {
    Way { name, leads: Leads::Nowhere, evidence: evidence.into() }
}

fn open(name: &'static str, evidence: impl Into<String>) -> Way {
    Way { name, leads: Leads::Out, evidence: evidence.into() }
}

/// The kernel tells the rules only to who may change them (CAP_NET_ADMIN).
fn rules(proxy_uid: u32) -> Way {
    let asked = Redirection { tcp: 0, dns: 0, exempt: Some(proxy_uid) }.stands();
    match asked {
        Ok(_) => open("rules", "the packet filter obeys: its rules can be flushed from here"),
        Err(RulesError::System(error)) => closed("rules", format!("the packet filter says: {error}")),
        Err(error) => closed("rules", error.to_string()),
    }
}

/// On a thread that ends with it, since the system call changes one thread (setuid(2)).
fn proxy_user(uid: u32) -> Way {
    let became = thread::spawn(move || set_thread_uid(Uid::from_raw(uid))).join();
    match became {
        Ok(Ok(())) => open("proxy-user", format!("a process here can become user {uid}, whom the rules let pass")),
        Ok(Err(error)) => closed("proxy-user", std::io::Error::from(error).to_string()),
        Err(_) => open("proxy-user", "it could not be tried"),
    }
}

fn gained() -> Way {
    let bounded: Vec<_> = DANGEROUS
        .iter()
        .filter(|(capability, _)| capability_is_in_bounding_set(*capability).unwrap_or(true))
        .map(|(_, name)| *name)
        .collect();
    match (bounded.as_slice(), no_new_privs().unwrap_or(false)) {
        ([], _) => closed("set-user-id", "no program can gain a capability that leads past the rules"),
        (_, true) => closed("set-user-id", "no_new_privs is set"),
        (names, false) => open("set-user-id", format!("a set-user-ID program may gain {}", names.join(", "))),
    }
}

fn engines() -> Way {
    match ENGINES.iter().find(|path| UnixStream::connect(path).is_ok()) {
        Some(path) => open("container-engine", format!("{path} answers, and starts containers without these rules")),
        None => closed("container-engine", "no engine's socket is in reach"),
    }
}
