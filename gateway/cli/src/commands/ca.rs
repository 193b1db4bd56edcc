//! `rampart ca`: the certificate authority of the egress proxy.

mod install;

use rampart_certs::{Authority, system_roots};
use rampart_gateway::Home;

use crate::{
    args::{CaRotate, CaVerb},
    authority,
    commands::env,
    environment::Environment,
    exit::Exit,
    outbound,
    printer::Printer,
};

pub(crate) fn run(verb: &CaVerb, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    let home = Home::at(&environment.home);
    home.prepare()?;
    match verb {
        CaVerb::Show => {
            let authority = Authority::open(&home.ca())?;
            printer.out(format!("certificate  {}", Authority::certificate_path(&home.ca()).display()));
            printer.out(format!("valid until  {}", authority.not_after().date()));
            printer.note(
                "`rampart env` makes a shell's tools trust it, `rampart ca install` the system and its browsers.",
            );
        }
        CaVerb::Export => printer.out_raw(Authority::open(&home.ca())?.certificate_pem()),
        CaVerb::TrustEnv(args) => env::print(&outbound::trust(&home, args.folder.as_deref())?, args.shell, printer)?,
        CaVerb::Install(args) => {
            Authority::open(&home.ca())?;
            return install::run(args, &Authority::certificate_path(&home.ca()), environment, printer);
        }
        CaVerb::Rotate(args) => rotate(args, &home, environment, printer)?,
    }
    Ok(Exit::Yes)
}

fn rotate(args: &CaRotate, home: &Home, environment: &Environment, printer: Printer) -> anyhow::Result<()> {
    authority::person(environment, args.yes)?;
    let only: Vec<String> = args.only.iter().map(|domain| domain.trim_end_matches('.').to_ascii_lowercase()).collect();
    if let Some(bad) = only.iter().find(|d| !d.contains(|c: char| c.is_ascii_alphanumeric()) || d.contains(['*', '/']))
    {
        anyhow::bail!("`{bad}` is not a domain; write `example.com`, which stands for what is below it, too");
    }
    let authority = Authority::rotate(&home.ca(), &only)?;
    Authority::write_bundle(authority.certificate(), &home.ca(), &system_roots())?;
    printer.out(format!("certificate  {}", Authority::certificate_path(&home.ca()).display()));
    printer.out(format!("valid until  {}", authority.not_after().date()));
    printer.note(
        "A gateway that runs works with the old one until it is started again (`rampart serve stop`). \
         Where the old one was installed, run `rampart ca install` again.",
    );
    Ok(())
}
