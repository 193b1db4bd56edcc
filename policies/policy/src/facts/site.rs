//! Destinations as rules see them. A host is parsed and folded once; rules see only the parsed form.

use std::net::{IpAddr, Ipv4Addr};

use percent_encoding::percent_decode_str;
use rampart_call::{Effect, EffectKind, Target};
use rampart_shell::{Surroundings, service};

use super::{Item, Known, Site};
use crate::{
    pattern::{Ids, UrlParts, fold_host},
    sets::Sets,
};

impl Known<'_> {
    /// A request is what `curl` would do with the same URL, so that both are judged alike.
    pub(super) fn add_fetch(
        &mut self,
        method: &str,
        url: &str,
        addresses: &[IpAddr],
        around: &Surroundings<'_>,
        sets: &Sets,
    ) {
        let mut seen = false;
        for effect in rampart_shell::request(method, url, around) {
            seen |= effect.kind == EffectKind::Net;
            self.add_site(effect, Some(method), addresses, around, sets);
        }
        if !seen {
            let host = UrlParts::parse(url).map(|u| u.host).unwrap_or_default();
            let target = Target::Host { host, port: None, url: Some(url.to_owned()) };
            self.add_site(Effect::new(EffectKind::Net, Some(target)), Some(method), addresses, around, sets);
        }
        // Parsers skip spaces and line ends, also inside of a scheme.
        let may_be_file =
            url.bytes().any(|b| b <= b' ') || url.get(..5).is_some_and(|s| s.eq_ignore_ascii_case("file:"));
        if may_be_file
            && let Some(path) = url::Url::parse(url).ok().filter(|u| u.scheme() == "file").map(|u| u.path().to_owned())
        {
            let target = rampart_shell::locate(&percent_decode_str(&path).decode_utf8_lossy(), around);
            self.add_effect(Effect::new(EffectKind::Read, Some(target)), around, sets);
        }
    }

    /// What a request does beside what its URL says, at the host that it is sent to.
    pub(super) fn add_request(&mut self, request: &service::Request<'_>, around: &Surroundings<'_>, sets: &Sets) {
        for (kind, note) in service::does(request) {
            let host = UrlParts::parse(request.url).map(|u| u.host).unwrap_or_default();
            let target = Target::Host { host, port: None, url: Some(request.url.to_owned()) };
            let effect = Effect { note: note.to_owned(), ..Effect::new(kind, Some(target)) };
            self.add_site(effect, Some(request.method), &[], around, sets);
        }
        self.add_document(request, around, sets);
    }

    pub(super) fn add_connect(
        &mut self,
        host: &str,
        port: u16,
        addresses: &[IpAddr],
        around: &Surroundings<'_>,
        sets: &Sets,
    ) {
        let bracketed =
            if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() };
        let known = rampart_shell::request("GET", &format!("https://{bracketed}:{port}/"), around);
        let note = known.into_iter().find(|e| e.kind == EffectKind::Net).map(|e| e.note);
        let host = fold_host(&bracketed).unwrap_or_else(|| host.to_ascii_lowercase());
        let target = Target::Host { host, port: Some(port), url: None };
        let mut effect = Effect::new(EffectKind::Net, Some(target));
        effect.note = note.unwrap_or_default();
        self.add_site(effect, None, addresses, around, sets);
    }

    /// A request to Rampart's own interface changes Rampart, unless it only asks how it is.
    pub(super) fn add_own_interface(&mut self, own_ports: &[u16], around: &Surroundings<'_>, sets: &Sets) {
        const HARMLESS: [&str; 5] = ["", "/", "/healthz", "/metrics", "/v1/status"];
        let here = |site: &Site| {
            let near =
                site.host == "localhost" || site.host.ends_with(".localhost") || site.addresses.iter().any(is_here);
            near && site.port.is_some_and(|p| own_ports.contains(&p))
        };
        let own = |site: &Site| {
            let path = site.url.as_ref().map_or("", |u| u.path.as_str());
            here(site) && !HARMLESS.contains(&path)
        };
        // whoever listens there is signalled, which is more than asking
        let signalled =
            |item: &Item, effect: &Effect| effect.kind == EffectKind::Signal && item.site.as_ref().is_some_and(here);
        let found = self.items.iter().zip(&self.effects);
        let found =
            found.into_iter().find(|(item, effect)| signalled(item, effect) || item.site.as_ref().is_some_and(own));
        let known = self.effects.iter().any(|e| e.kind == EffectKind::SelfTamper);
        if let Some((_, net)) = found
            && !known
        {
            let effect = Effect { kind: EffectKind::SelfTamper, note: "rampart-api".to_owned(), ..net.clone() };
            self.add_effect(effect, around, sets);
        }
    }

    fn add_site(
        &mut self,
        effect: Effect,
        method: Option<&str>,
        addresses: &[IpAddr],
        around: &Surroundings<'_>,
        sets: &Sets,
    ) {
        let mut item = self.item_of(&effect, around, sets);
        if let Some(site) = &mut item.site {
            site.method = method.map(str::to_ascii_uppercase);
            site.addresses.extend(addresses.iter().copied().map(plain));
        }
        self.effects.push(effect);
        self.items.push(item);
    }
}

fn is_here(address: &IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified()
}

/// Fills in what rules see of a host.
pub(super) fn describe(item: &mut Item, sets: &Sets, host: &str, port: Option<u16>, url: Option<&str>) {
    let parts = url.and_then(|text| {
        let parsed = UrlParts::parse(text);
        // Command line tools take `example.com/x` for a URL.
        parsed.filter(|p| !p.host.is_empty()).or_else(|| UrlParts::parse(&format!("http://{text}")))
    });
    let host = match &parts {
        Some(parts) if !parts.host.is_empty() => parts.host.clone(),
        _ => fold_host(host).unwrap_or_else(|| host.to_ascii_lowercase()),
    };
    sets.domains.find(&host, &mut item.domains, |domain| domain.is_match(&host));
    if let Some(parts) = &parts {
        let mut urls = Ids::default();
        sets.urls.find(&parts.text, &mut urls, |glob| glob.is_match(parts));
        item.urls = urls;
    }
    let addresses = host.parse().map(plain).into_iter().collect();
    let port = port.or(parts.as_ref().and_then(|p| p.port));
    item.site = Some(Site { host, port, method: None, url: parts, addresses });
}

/// The IPv4 address that an IPv6 address stands for (mapped, compatible, NAT64, 6to4), or the address itself.
pub(crate) fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let segments = v6.segments();
    let four = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)));
    match segments {
        [0, 0, 0, 0, 0, 0xffff, high, low] => four(high, low),
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => four(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => four(high, low),
        [0x2002, high, low, ..] => four(high, low),
        _ => address,
    }
}
