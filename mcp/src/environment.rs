//! The environment that a server gets: what programs need to run at all, and none of the agent's secrets.

use std::ffi::OsString;

/// Variables that pass. Those that make a program load code (`NODE_OPTIONS`, `PYTHONPATH`, `LD_PRELOAD`) do not.
const PASSED: &[&str] = &[
    // what every program may expect
    "HOME",
    "LANG",
    "LANGUAGE",
    "LOGNAME",
    "PATH",
    "SHELL",
    "TERM",
    "TMPDIR",
    "TZ",
    "USER",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    // the way out, and whom to trust there
    "ALL_PROXY",
    "CURL_CA_BUNDLE",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NODE_EXTRA_CA_CERTS",
    "NODE_USE_ENV_PROXY",
    "NO_PROXY",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    // how `npx` and `uvx` find what they run
    "NVM_BIN",
    "NVM_DIR",
    "PYTHONIOENCODING",
    "PYTHONUNBUFFERED",
    "PYTHONUTF8",
    "UV_CACHE_DIR",
    "VIRTUAL_ENV",
    "VOLTA_HOME",
    "npm_config_cache",
    "npm_config_prefix",
    "npm_config_registry",
    "npm_config_userconfig",
];

/// The variables of `all` that a server may see.
pub fn clean(all: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<(OsString, OsString)> {
    let passes = |name: &str| PASSED.contains(&name) || name.starts_with("LC_");
    all.into_iter().filter(|(name, _)| name.to_str().is_some_and(passes)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_and_code_loading_stay_behind() {
        let names = ["PATH", "AWS_SECRET_ACCESS_KEY", "LC_ALL", "NODE_OPTIONS", "RAMPART_TOKEN", "HOME", "LC", "path"];
        let all = names.map(|name| (OsString::from(name), OsString::from("x")));
        let kept: Vec<_> = clean(all).into_iter().map(|(name, _)| name).collect();
        assert_eq!(kept, ["PATH", "LC_ALL", "HOME"]);
    }
}
