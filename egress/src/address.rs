//! Which addresses belong to the open internet, and which are reached only by those who say so.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use ipnet::IpNet;

use crate::destination::Host;

/// What is special about an address, or `None` when it is an ordinary one of the internet. From the IANA registries of
/// special-purpose addresses (RFC 6890), and the addresses where clouds keep their metadata.
pub(crate) fn special(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(v4) => special_v4(v4),
        IpAddr::V6(v6) => special_v6(v6),
    }
}

fn special_v4(address: Ipv4Addr) -> Option<&'static str> {
    Some(match address.octets() {
        [127, ..] => "loopback",
        [169, 254, 169, 254]
        | [169, 254, 170, 2 | 23]
        | [168, 63, 129, 16]
        | [100, 100, 100, 200]
        | [192, 0, 0, 192] => "cloud metadata",
        [169, 254, ..] => "link-local",
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => "private",
        [100, 64..=127, ..] => "shared (carrier-grade NAT)",
        [0, ..] => "of this host",
        [192, 0, 0, _] | [192, 88, 99, _] => "reserved for protocols",
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => "for documentation",
        [198, 18 | 19, ..] => "for benchmarks",
        [224..=239, ..] => "multicast",
        [240..=255, ..] => "reserved",
        _ => return None,
    })
}

fn special_v6(address: Ipv6Addr) -> Option<&'static str> {
    if let Some(v4) = address.to_ipv4_mapped() {
        return special_v4(v4);
    }
    let [.., high, low] = address.segments();
    let embedded = Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    Some(match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0] => "of this host",
        [0, 0, 0, 0, 0, 0, 0, 1] => "loopback",
        // NAT64 (RFC 6052): the IPv4 address inside is the one that is reached.
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => return special_v4(embedded),
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => "cloud metadata",
        [0xfc00..=0xfdff, ..] => "private",
        [0xfe80..=0xfebf, ..] => "link-local",
        [0xff00..=0xffff, ..] => "multicast",
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => "for documentation",
        [0x2001, 0..=0x1ff, ..] => "reserved for protocols",
        [0x2002, ..] => "an embedded IPv4 address (6to4)",
        // IANA has given out nothing but 2000::/3 to the open internet.
        [0x2000..=0x3fff, ..] => return None,
        _ => "reserved",
    })
}

/// A destination that may be reached although its address is not one of the open internet: `10.0.0.0/8`, `10.1.2.3`,
/// `db.corp.example` or `*.corp.example`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance(Pattern);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Net(IpNet),
    Host(String),
    Below(String),
}

impl FromStr for Allowance {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(net) = text.parse::<IpNet>() {
            return Ok(Self(Pattern::Net(net)));
        }
        let text = match text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(v6) if v6.parse::<Ipv6Addr>().is_ok() => v6,
            _ => text,
        };
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self(Pattern::Net(address.into())));
        }
        let (below, name) = match text.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, text),
        };
        match Host::parse(name) {
            Ok(Host::Address(address)) if !below => Ok(Self(Pattern::Net(address.into()))),
            Ok(Host::Name(name)) if below => Ok(Self(Pattern::Below(format!(".{name}")))),
            Ok(Host::Name(name)) => Ok(Self(Pattern::Host(name))),
            _ => Err(format!("`{text}` is neither a network such as `10.0.0.0/8` nor a host such as `*.corp.example`")),
        }
    }
}

impl Allowance {
    /// Whether it names this host; a network names the addresses in it.
    pub(crate) fn names(&self, host: &Host) -> bool {
        match (&self.0, host) {
            (Pattern::Net(net), Host::Address(address)) => net.contains(&address.to_canonical()),
            (Pattern::Net(_), Host::Name(_)) => false,
            (_, host) => self.covers(host, IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        }
    }

    pub(crate) fn covers(&self, host: &Host, address: IpAddr) -> bool {
        match (&self.0, host) {
            (Pattern::Net(net), _) => net.contains(&address.to_canonical()) || net.contains(&address),
            (Pattern::Host(wanted), Host::Name(name)) => wanted == name,
            (Pattern::Below(suffix), Host::Name(name)) => name.ends_with(suffix.as_str()),
            (Pattern::Host(_) | Pattern::Below(_), Host::Address(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_addresses_are_known_in_all_their_clothes() {
        for text in [
            "127.0.0.1",
            "127.255.255.254",
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.255",
            "169.254.169.254",
            "169.254.1.1",
            "168.63.129.16",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "192.0.0.8",
            "198.18.0.1",
            "203.0.113.5",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:10.0.0.1",
            "::ffff:0:127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "2001::1",
            "2001:0:7f00:1::",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "100::1",
            "3fff::1",
            "5f00::1",
            "4000::1",
        ] {
            assert!(special(text.parse().unwrap()).is_some(), "{text}");
        }
    }

    #[test]
    fn addresses_of_the_internet_are_ordinary() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "93.184.216.34",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.0.1",
            "100.128.0.1",
            "169.253.1.1",
            "192.0.1.1",
            "198.20.0.1",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2606:4700:4700::1111",
            "2a00:1450::1",
            "2001:4860:4860::8888",
        ] {
            assert_eq!(special(text.parse().unwrap()), None, "{text}");
        }
    }

    #[test]
    fn an_allowance_covers_what_it_names() {
        let covers = |allowance: &str, host: &str, address: &str| {
            let allowance: Allowance = allowance.parse().unwrap();
            allowance.covers(&Host::parse(host).unwrap(), address.parse().unwrap())
        };
        assert!(covers("10.0.0.0/8", "x.example", "10.1.2.3"));
        assert!(covers("10.0.0.0/8", "x.example", "::ffff:10.1.2.3"));
        assert!(!covers("10.0.0.0/8", "x.example", "11.1.2.3"));
        assert!(covers("127.0.0.1", "127.0.0.1", "127.0.0.1"));
        assert!(covers("DB.corp.example.", "db.corp.example", "10.1.2.3"));
        assert!(covers("*.corp.example", "db.corp.example", "10.1.2.3"));
        assert!(!covers("*.corp.example", "corp.example", "10.1.2.3"));
        assert!(!covers("*.corp.example", "evilcorp.example", "10.1.2.3"));
        assert!("10.0.0.0/99".parse::<Allowance>().is_err());
        assert!("*.127.0.0.1".parse::<Allowance>().is_err());
    }
}
