//! Programs whose words follow no common grammar. What a table can say stands in `commands/*.toml` instead.

mod carriers;
mod files;
mod find;
mod git;
mod network;
mod output;
mod packages;
mod system;
mod tar;
mod trees;

use crate::knowledge::Rule;
use crate::value::Arg;
use crate::walk::{Use, Walk};

pub(crate) use git::setting as git_setting;
pub(crate) use network::{lookup, ssh_setting};
pub(crate) use packages::setting;
pub(crate) use system::mount;

/// Applies a program's rule to its words. True where the rule has said everything, false where the tables go on.
pub(crate) fn apply(walk: &mut Walk<'_>, rule: Rule, used: &mut Use<'_>, words: &[Arg]) -> bool {
    match rule {
        Rule::Bin => packages::bin(walk, used),
        Rule::Cat => output::cat(walk, used),
        Rule::Checkout => trees::checkout(walk, used),
        Rule::Chmod => files::chmod(walk, used, words),
        Rule::Chown => files::chown(walk, used),
        Rule::Cmake => carriers::cmake(walk, used, words),
        Rule::Container => carriers::container(walk, used),
        Rule::Copy => files::copy(walk, used),
        Rule::Curl => network::curl(walk, used),
        Rule::Dd => files::dd(walk, used, words),
        Rule::Direnv => carriers::direnv(walk, used),
        Rule::Echo => output::echo(used, words),
        Rule::Env => carriers::env(walk, used, words),
        Rule::Fd => find::fd(walk, used, words),
        Rule::Find => find::find(walk, used, words),
        Rule::Fuser => system::fuser(walk, used, words),
        Rule::GitBranch => git::branch(walk, used),
        Rule::GitCheckout => git::checkout(walk, used, words),
        Rule::GitConfig => git::config(walk, used),
        Rule::GitPush => git::push(walk, used),
        Rule::GitRefs => git::refs(walk, used),
        Rule::Httpie => network::httpie(walk, used),
        Rule::Jq => output::jq(walk, used, words),
        Rule::Kill => system::kill(walk, used, words),
        Rule::Link => files::link(walk, used),
        Rule::List => output::list(used),
        Rule::Make => trees::make(walk, used),
        Rule::Move => files::rename(walk, used),
        Rule::Nix => packages::nix(walk, used, words),
        Rule::Parallel => carriers::parallel(walk, used, words),
        Rule::Printenv => carriers::printenv(walk, used),
        Rule::Printf => output::printf(used, words),
        Rule::Rampart => system::rampart(walk, used, words),
        Rule::Remote => git::remote(walk, used),
        Rule::RevParse => git::rev_parse(walk, used, words),
        Rule::Rsync => network::rsync(walk, used),
        Rule::Sftp => network::sftp(walk, used, words),
        Rule::Socat => network::socat(walk, used),
        Rule::Ssh => network::ssh(walk, used),
        Rule::Tar => tar::tar(walk, used, words),
        Rule::Unpack => trees::unpack(walk, used, words),
        Rule::Watch => carriers::watch(walk, used),
        Rule::Wget => network::wget(walk, used),
        Rule::Xargs => carriers::xargs(walk, used),
    }
}
