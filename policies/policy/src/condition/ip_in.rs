//! `ip_in`: an address that is contacted, or that the contacted name resolved to, lies in one of these networks. Entries
//! are CIDR networks, addresses, or the words `loopback`, `private`, `link-local` and `metadata`.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Fields, Reader, RuleBuilder};
use crate::{pattern::Reading, spelling::one_of, tool::Tools};

/// Networks that have a word. Sources: RFC 1122, 1918, 3927, 4193, 4291, 6598, 6890; the metadata addresses are those
/// documented by the cloud providers.
const NAMED: [(&str, &[&str]); 4] = [
    ("loopback", &["127.0.0.0/8", "::1/128", "0.0.0.0/8", "::/128"]),
    ("private", &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"]),
    ("link-local", &["169.254.0.0/16", "fe80::/10"]),
    (
        "metadata",
        &[
            "169.254.169.254/32",
            "169.254.170.2/32",
            "169.254.170.23/32",
            "169.254.0.23/32",
            "100.100.100.200/32",
            "192.0.0.192/32",
            "168.63.129.16/32",
            "fd00:ec2::254/128",
            "fd00:ec2::23/128",
            "fd20:ce::254/128",
        ],
    ),
];

/// What is written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source(pub(crate) Option<Vec<IpNet>>);

impl Source {
    pub(super) fn read(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Self {
        let Some(node) = fields.take("ip_in") else { return Self(None) };
        let mut nets = Vec::new();
        for text in reader.texts(node, "ip_in") {
            if let Some((_, named)) = NAMED.iter().find(|(word, _)| *word == text.value) {
                nets.extend(named.iter().filter_map(|net| net.parse::<IpNet>().ok()));
                continue;
            }
            let net = text.value.parse::<IpNet>().ok();
            if let Some(net) = net.or_else(|| text.value.parse::<IpAddr>().ok().map(IpNet::from)) {
                nets.push(net);
                continue;
            }
            let words: Vec<&str> = NAMED.iter().map(|(word, _)| *word).collect();
            let message = format!("`{}` is not a network", text.value);
            reader.error_with("bad-network", &text.span, message, format!("write `10.0.0.0/8` or {}", one_of(&words)));
        }
        Self(Some(nets))
    }

    pub(super) fn compile(&self, into: &mut RuleBuilder<'_>) {
        let Some(nets) = self.0.clone() else { return };
        into.reaches(Tools::CARRIERS.and(Tools::FETCH).and(Tools::CONNECT));
        let inside = move |ip: &IpAddr| nets.iter().any(|net| net.contains(ip));
        let all = into.reading == Reading::Exact;
        into.item("ip_in", move |item, _| {
            let addresses = item.site.as_ref().map(|s| s.addresses.as_slice()).unwrap_or_default();
            if all { !addresses.is_empty() && addresses.iter().all(&inside) } else { addresses.iter().any(&inside) }
        });
    }
}
