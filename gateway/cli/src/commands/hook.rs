//! `rampart hook --format AGENT`: the small binary's work, by the big one.

use std::ffi::OsString;

use crate::{args::Hook, exit::Exit};

pub(crate) fn run(args: &Hook) -> Exit {
    let mut words = vec![OsString::from("hook"), args.format.clone().into()];
    if let Some(seconds) = args.timeout {
        words.extend(["--timeout".into(), seconds.to_string().into()]);
    }
    Exit::Child(rampart_shim::program::run("rampart-shim".into(), words))
}
