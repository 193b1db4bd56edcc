//! `rampart ca`: the certificate authority of the egress proxy.

use rampart_certs::Authority;
use rampart_gateway::Home;

use crate::{args::CaVerb, environment::Environment, exit::Exit, printer::Printer};

pub(crate) fn run(verb: &CaVerb, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let home = Home::at(&environment.home);
    home.prepare()?;
    let authority = Authority::open(&home.ca())?;
    match verb {
        CaVerb::Show => {
            printer.out(format!("certificate  {}", Authority::certificate_path(&home.ca()).display()));
            printer.out(format!("valid until  {}", authority.not_after().date()));
            printer.note("`rampart env` makes a shell's tools trust it; nothing else on this machine does.");
        }
        CaVerb::Export => printer.out_raw(authority.certificate_pem()),
    }
    Ok(Exit::Yes)
}
