//! Who somebody is by where they come from: in a network in which nobody can take another's address.

use std::{net::IpAddr, str::FromStr};

use ipnet::IpNet;
use rampart_call::{Origin, Surface};

/// Where somebody comes from: an address, a network, or `any`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(Option<IpNet>);

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        match network {
            _ if text == "any" => Ok(Self(None)),
            Ok(network) => Ok(Self(Some(network))),
            Err(_) => Err(format!("`{text}` is no address, no network such as 172.30.91.0/24, and not `any`")),
        }
    }
}

/// Places, and whose calls come from there. The first that covers an address counts.
#[derive(Debug, Clone, Default)]
pub struct Sources(Vec<(Place, Origin)>);

impl Sources {
    /// Of places with the names of agent and session.
    pub fn new(of: impl IntoIterator<Item = (Place, Origin)>) -> Self {
        let whole = |origin| Origin { surface: Surface::Egress, can_ask: false, ..origin };
        Self(of.into_iter().map(|(place, origin)| (place, whole(origin))).collect())
    }

    /// Who comes from this address.
    pub(crate) fn at(&self, address: IpAddr) -> Option<&Origin> {
        let address = address.to_canonical();
        let covers = |place: &Place| place.0.is_none_or(|network| network.contains(&address));
        self.0.iter().find(|(place, _)| covers(place)).map(|(_, origin)| origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_place_that_covers_an_address_counts() {
        let named = |place: &str, agent: &str| {
            (place.parse().unwrap(), Origin { agent: agent.to_owned(), ..Origin::default() })
        };
        let sources =
            Sources::new([named("172.30.91.3", "one"), named("172.30.91.0/24", "all"), named("2001:db8::/32", "six")]);
        for (address, agent) in [
            ("172.30.91.3", Some("one")),
            ("::ffff:172.30.91.3", Some("one")),
            ("172.30.91.4", Some("all")),
            ("2001:db8::1", Some("six")),
            ("172.30.92.3", None),
            ("::1", None),
        ] {
            let found = sources.at(address.parse().unwrap());
            assert_eq!(found.map(|origin| origin.agent.as_str()), agent, "{address}");
        }
        let anywhere = Sources::new([named("any", "whoever")]);
        assert!(anywhere.at("::1".parse().unwrap()).is_some() && anywhere.at("9.9.9.9".parse().unwrap()).is_some());
        for bad in ["", "example.com", "10.0.0.0/33", "any "] {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }
}
