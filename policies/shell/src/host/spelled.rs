//! Addresses that a name spells, below a domain that answers with what its names say.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::lists::SPELLING;

/// The addresses that a name spells: decimal with dots or dashes, hexadecimal, IPv6 with dashes. The last one is the first,
/// as the services read it.
pub(super) fn addresses(host: &str) -> Vec<IpAddr> {
    let Some(name) = SPELLING.iter().find_map(|domain| host.strip_suffix(domain)?.strip_suffix('.')) else {
        return Vec::new();
    };
    let parts: Vec<&str> = name.split(['.', '-']).collect();
    let decimal = parts.windows(4).rev().filter_map(|four| four.join(".").parse::<Ipv4Addr>().ok());
    let hexadecimal = parts.iter().rev().filter(|part| part.len() == 8);
    let hexadecimal = hexadecimal.filter_map(|part| u32::from_str_radix(part, 16).ok());
    let number = parts.iter().rev().filter(|part| part.len() >= 9).filter_map(|part| part.parse::<u32>().ok());
    let four = decimal.chain(hexadecimal.chain(number).map(Ipv4Addr::from)).map(IpAddr::V4);
    let six = name.rsplit('.').next().unwrap_or("").replace('-', ":").parse::<Ipv6Addr>().map(IpAddr::V6);
    four.chain(six).collect()
}
