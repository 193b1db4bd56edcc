//! Destinations that are reached without being looked into: clients that pin certificates, protocols that are not HTTP. The
//! destination is judged; what passes is only counted, and the record says that nobody saw it.

use std::{io, str::FromStr, sync::Arc};

use rampart_call::{Action, Call, Origin, Permit, Phase};
use tokio_util::io::{InspectReader, InspectWriter};

use crate::{
    address::Allowance,
    destination::Destination,
    exchange::record_failure,
    meter::{Meter, Way},
    proxy::Proxy,
    refusal::Refused,
    resolve::Addresses,
    strict::Strict,
    tunnel::Io,
    upstream::dial,
};

/// Whom to leave alone: a host, `*.host` or network as in [`Allowance`], and `:port` where only that port is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passthrough {
    place: Allowance,
    port: Option<u16>,
}

impl FromStr for Passthrough {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let with_port = text.rsplit_once(':').filter(|(place, _)| !place.contains(':') || place.ends_with(']'));
        let (place, port) = match with_port.map(|(place, port)| (place, port.parse::<u16>())) {
            Some((place, Ok(port))) if port > 0 => (place, Some(port)),
            Some(_) => return Err(format!("`{text}` ends with something that is not a port")),
            None => (text, None),
        };
        Ok(Self { place: place.parse()?, port })
    }
}

impl Passthrough {
    pub(crate) fn covers(&self, to: &Destination) -> bool {
        self.port.is_none_or(|port| port == to.port) && self.place.names(&to.host)
    }
}

/// Carries the bytes until either side ends.
pub(crate) async fn run<IO: Io>(
    proxy: &Arc<Proxy>,
    client: Strict<IO>,
    session: Origin,
    to: Destination,
    way: Result<(Permit, Addresses), Refused>,
) -> Result<(), String> {
    // Nobody listens in there to whom a reason could be told.
    let (permit, addresses) = way.map_err(|refused| refused.message().to_owned())?;
    let action = Action::Connect { host: to.host.text(), port: to.port, addresses: addresses.ips() };
    let mut origin = match dial(&to, &addresses).await {
        Ok((origin, _)) => origin,
        Err(refused) => {
            record_failure(proxy, &session, action, &refused).await;
            return Err(refused.message().to_owned());
        }
    };
    let before = Call { origin: session.clone(), phase: Phase::Before, action: action.clone(), response: None };
    let meter = Meter::new(proxy, before, permit.judgement());
    let count = |way: Way| {
        let meter = Arc::clone(&meter);
        move |bytes: &[u8]| {
            let _ = meter.count(way, bytes.len());
        }
    };
    let mut client = InspectWriter::new(InspectReader::new(client, count(Way::Out)), count(Way::Back));
    let carried = tokio::select! {
        carried = tokio::io::copy_bidirectional(&mut client, &mut origin) => carried,
        refused = meter.refusal() => Err(io::Error::other(refused.message().to_owned())),
    };
    let uninspected = Some(meter.passed());
    let response = rampart_call::Response { truncated: true, uninspected, ..Default::default() };
    let call = Call { origin: session, phase: Phase::After, action, response: Some(response) };
    let _ = proxy.judge(call).await;
    carried.map(|_| ()).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::destination::Scheme;

    #[test]
    fn a_destination_is_named_with_or_without_its_port() {
        let covers = |place: &str, to: &str| {
            place.parse::<Passthrough>().unwrap().covers(&Destination::parse(Scheme::Https, to).unwrap())
        };
        assert!(covers("pinned.example", "pinned.example:8443"));
        assert!(covers("Pinned.example:443", "pinned.example"));
        assert!(!covers("pinned.example:443", "pinned.example:22"));
        assert!(covers("*.pinned.example", "a.pinned.example") && !covers("*.pinned.example", "pinned.example"));
        assert!(covers("10.0.0.0/8:22", "10.1.2.3:22") && covers("[::1]:22", "[::1]:22"));
        for bad in ["", "a:b", "a:0", "a:65536", ":443", "a b"] {
            assert!(bad.parse::<Passthrough>().is_err(), "{bad}");
        }
    }
}
