//! The `rampart` program: reads arguments and environment, puts the parts together, prints.
//!
//! Not here: any decision. Whatever a command does, it asks a gate or reads what one has written.

mod args;
mod authority;
mod commands;
mod configuration;
mod diagnostics;
mod environment;
mod exit;
mod jail;
mod launch;
mod log_output;
mod outbound;
mod outward;
#[cfg(target_os = "linux")]
mod overlay;
mod printer;
mod profile_file;
mod reach;
mod record;
mod registry;
mod release;
mod rules;
mod secrets;
mod settings_file;
mod telemetry;
mod user_overrides;

use std::process::ExitCode;

use clap::FromArgMatches as _;

use crate::{
    args::{Cli, Color, Verb},
    environment::Environment,
    exit::Exit,
    printer::Printer,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Under a shell's name this program is that shell: `rampart wrap` puts it in front of the real ones.
    let mut words = std::env::args_os();
    let name = words.next().unwrap_or_default();
    if rampart_shim::shell::name(&name).is_some() {
        return ExitCode::from(rampart_shim::program::run(name, words.collect()));
    }
    #[cfg(target_os = "linux")]
    if name == rampart_jail::NAME {
        let words: Vec<_> = words.collect();
        return ExitCode::from(rampart_jail::enter(&words));
    }
    let cli = Cli::from_arg_matches(&args::command().get_matches()).unwrap_or_else(|error| error.exit());
    match cli.color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    let printer = Printer;
    let exit = Environment::read().and_then(|environment| run(cli.verb, &environment, printer));
    exit.unwrap_or_else(|error| {
        printer.note(format!("rampart: {error:#}"));
        Exit::Error
    })
    .into()
}

fn run(verb: Verb, environment: &Environment, printer: Printer) -> anyhow::Result<Exit> {
    use commands as c;
    authority::check(&verb, environment)?;
    match verb {
        Verb::Quickstart(args) => c::quickstart::run(&args, environment, printer),
        Verb::Setup(args) => c::setup::run(&args, environment, printer),
        Verb::Wrap(args) => c::wrap::run(args, environment, printer),
        Verb::Run(args) => c::run::run(args, environment, printer),
        Verb::Preload(args) => c::preload::run(args, environment, printer),
        #[cfg(target_os = "linux")]
        Verb::Overlay { verb } => c::overlay::run(verb, environment, printer),
        #[cfg(not(target_os = "linux"))]
        Verb::Overlay { .. } => {
            anyhow::bail!("copies of projects that agents change (`run --overlay`) are only made on Linux")
        }
        Verb::Mcp(args) => c::mcp::run(args, environment, printer),
        Verb::Serve(args) => c::serve::run(args, environment, printer),
        Verb::Env(args) => c::env::run(&args, environment, printer),
        Verb::Hook(args) => Ok(c::hook::run(&args)),
        Verb::Init(args) => c::init::run(&args, environment, printer),
        Verb::Test(args) => c::test::run(&args, environment, printer),
        Verb::Policy { verb } => c::policy::run(verb, environment, printer),
        Verb::Allow(args) => c::allow::allow(&args, environment, printer),
        Verb::Block(args) => c::allow::block(&args, environment, printer),
        Verb::Rules(args) => c::rules::run(args, environment, printer),
        Verb::Bench(args) => c::bench::run(&args, environment, printer),
        Verb::Convert(args) => c::convert::run(&args, environment, printer),
        Verb::Status(args) => c::status::run(&args, environment, printer),
        Verb::Pending(args) => c::pending::list(&args, environment, printer),
        Verb::Approve(args) => c::resolve::approve(&args, environment, printer),
        Verb::Deny(args) => c::resolve::deny(&args, environment, printer),
        Verb::Watch(args) => c::watch::run(args, environment, printer),
        Verb::Log(args) => c::log::run(args, environment, printer),
        Verb::Report(args) => c::report::run(args, environment, printer),
        Verb::Audit { verb } => c::audit::run(verb, environment, printer),
        Verb::Replay(args) => c::replay::run(args, environment, printer),
        Verb::Ca { verb } => c::ca::run(&verb, environment, printer),
        Verb::Egress { verb } => c::egress::run(verb, environment, printer),
        Verb::Sidecar { verb } => c::sidecar::run(verb, environment, printer),
        Verb::Token { verb } => c::token::run(&verb, environment, printer),
        Verb::Config { verb } => c::config::run(&verb, environment, printer),
        Verb::Dashboard(args) => c::dashboard::run(&args, environment, printer),
        Verb::Upgrade(args) => c::upgrade::run(&args, environment, printer),
        Verb::Completions { shell } => {
            clap_complete::generate(shell, &mut args::command(), "rampart", &mut std::io::stdout());
            Ok(Exit::Yes)
        }
        Verb::Man { verb, output } => c::man::run(&verb, output.as_deref(), printer),
        Verb::Doctor(args) => c::doctor::run(&args, environment, printer),
    }
}
