//! The environment variables that make clients use the proxy. Those that make them trust it are `rampart_certs::trust`.

use std::net::SocketAddr;

/// Sets a proxy on HTTP clients of Node before 22.21, whose `fetch` and `https` know no proxy variables. Later versions
/// are left to their own support. Loaded with `node --require`; the text of the file to write.
pub const NODE_PRELOAD: &str = include_str!("../node/proxy.cjs");

/// Names and values for the environment of a session that uses the proxy at `address`. `credentials` are the session's
/// name and token; `node_preload` is the path of a file with the text of [`NODE_PRELOAD`].
pub fn proxy_variables(
    address: SocketAddr,
    credentials: Option<(&str, &str)>,
    node_preload: Option<&str>,
) -> Vec<(&'static str, String)> {
    let user = credentials.map(|(session, token)| format!("{session}:{token}@")).unwrap_or_default();
    let proxy = format!("http://{user}{address}");
    let mut variables = Vec::new();
    // curl reads http_proxy in lower case only; others read upper case only.
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        variables.push((name, proxy.clone()));
    }
    for name in ["NO_PROXY", "no_proxy"] {
        variables.push((name, "localhost,127.0.0.1,::1".to_owned()));
    }
    variables.push(("NODE_USE_ENV_PROXY", "1".to_owned()));
    if let Some(path) = node_preload {
        let quoted = path.replace('\\', "\\\\").replace('"', "\\\"");
        variables.push(("NODE_OPTIONS", format!("--require \"{quoted}\"")));
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_is_named_in_the_proxys_url() {
        let variables = proxy_variables("127.0.0.1:9091".parse().unwrap(), Some(("s1", "t0k")), Some("/a \"b/x.cjs"));
        assert!(variables.contains(&("https_proxy", "http://s1:t0k@127.0.0.1:9091".to_owned())));
        assert!(variables.contains(&("NODE_OPTIONS", "--require \"/a \\\"b/x.cjs\"".to_owned())));
    }
}
