//! `rampart sidecar`: containers in which Rampart is the only way out.

mod init;
pub(super) mod powers;
mod validate;

pub(super) use validate::name_servers;

use crate::{args::SidecarVerb, environment::Environment, exit::Exit, printer::Printer};

pub(crate) fn run(verb: SidecarVerb, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    match verb {
        SidecarVerb::Init(args) => init::run(&args, printer),
        SidecarVerb::Validate(args) => validate::run(&args, environment, printer),
    }
}
