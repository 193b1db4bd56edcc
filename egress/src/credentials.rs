//! Secrets that agents never hold. Where a request carries the placeholder of a credential, and goes where that is bound
//! to, the value takes its place after the request was judged; what comes back is without it again. Only over TLS.

mod aws;
mod body;

use std::sync::Arc;

use arc_swap::ArcSwap;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header, uri::PathAndQuery};
use rampart_call::Origin;

pub use self::aws::AwsKeys;
pub(crate) use self::{aws::Signature, body::InBody};
use crate::{
    address::Allowance,
    destination::{Destination, Host, Scheme},
    echo::Echo,
};

/// A secret, what stands for it, and where it may go.
pub struct Credential {
    /// What it is called in records.
    pub name: String,
    /// The secret.
    pub value: String,
    /// What agents hold instead.
    pub placeholder: String,
    /// The hosts that it may go to.
    pub hosts: Vec<Allowance>,
    /// Only with these methods, in upper case; empty: with any.
    pub methods: Vec<String>,
    /// Only to these paths, where `*` is any text; empty: to any.
    pub paths: Vec<String>,
    /// Headers that every such request gets; `{}` is the value.
    pub headers: Vec<(HeaderName, String)>,
    /// Also in bodies that are JSON or a form. Whoever can read there what was written can read the value.
    pub in_body: bool,
    /// Also for clients that show no credential of a session.
    pub anybody: bool,
    /// The forms in which it may come back, each with the same form of the placeholder.
    pub echoes: Vec<(Vec<u8>, Vec<u8>)>,
    /// The value is the id of these keys, and requests that clients sign with the placeholder are signed anew with them.
    pub aws: Option<AwsKeys>,
}

/// Shows the name only.
impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credential").field("name", &self.name).finish_non_exhaustive()
    }
}

/// All credentials. A copy is the same ones, so that what is renewed in one place is renewed for everybody.
#[derive(Clone, Default)]
pub struct Credentials {
    held: Arc<ArcSwap<Held>>,
    /// The session of clients that show no credential of one.
    unidentified: String,
}

#[derive(Default)]
struct Held {
    list: Vec<Credential>,
    echo: Arc<Echo>,
}

/// What is put into a request when it leaves. Nobody is shown it.
#[derive(Default)]
pub(crate) struct Filling {
    headers: Vec<(HeaderName, Vec<HeaderValue>)>,
    target: Option<PathAndQuery>,
    /// What is put into its body.
    pub(crate) body: Option<InBody>,
    /// How it is signed.
    pub(crate) signature: Option<Signature>,
}

impl Credentials {
    /// These, and no others.
    pub fn new(list: Vec<Credential>) -> Self {
        let credentials = Self::default();
        credentials.renew(list);
        credentials
    }

    /// From now on these, and no others. What is on its way keeps those that it began with.
    pub fn renew(&self, mut list: Vec<Credential>) {
        let echoes = list.iter_mut().flat_map(|credential| std::mem::take(&mut credential.echoes)).collect();
        self.held.store(Arc::new(Held { list, echo: Arc::new(Echo::new(echoes)) }));
    }

    pub(crate) fn not_for(self, unidentified: String) -> Self {
        Self { unidentified, ..self }
    }

    /// What takes values out of answers of a host that one of them is bound to.
    pub(crate) fn echo(&self, host: &Host) -> Option<Arc<Echo>> {
        let bound = |credential: &Credential| credential.hosts.iter().any(|place| place.names(host));
        let held = self.held.load();
        held.list.iter().any(bound).then(|| Arc::clone(&held.echo))
    }

    /// Puts a word in the place of each placeholder that may go where the request goes, for everybody who judges and
    /// records it, and gives what will take that place.
    pub(crate) fn fill(
        &self,
        origin: &Origin,
        to: &Destination,
        method: &Method,
        uri: &mut Uri,
        headers: &mut HeaderMap,
    ) -> Filling {
        let mut filling = Filling::default();
        let named = !origin.session.is_empty() && origin.session != self.unidentified;
        let held = self.held.load();
        let bound: Vec<&Credential> = held
            .list
            .iter()
            .filter(|c| to.scheme == Scheme::Https && (named || c.anybody) && c.may_go(&to.host, method, uri.path()))
            .collect();
        if bound.is_empty() {
            return filling;
        }
        filling.signature = Signature::of(uri, headers, &bound);
        let names: Vec<HeaderName> = headers.keys().cloned().collect();
        for name in names {
            let values: Vec<HeaderValue> = headers.get_all(&name).iter().cloned().collect();
            let real: Vec<Option<String>> = values.iter().map(|v| exchanged(v, &bound, |c| c.value.clone())).collect();
            if real.iter().all(Option::is_none) {
                continue;
            }
            let shown = values.iter().map(|v| (v, exchanged(v, &bound, word)));
            let shown: Vec<HeaderValue> =
                shown.map(|(v, text)| text.map_or_else(|| v.clone(), |t| plain(&t))).collect();
            let real = values.iter().zip(real).map(|(v, text)| text.map_or_else(|| v.clone(), |t| hidden(&t)));
            let real = real.collect();
            replace(headers, &name, shown);
            filling.headers.push((name, real));
        }
        for (credential, (name, template)) in bound.iter().flat_map(|c| c.headers.iter().map(move |h| (c, h))) {
            replace(headers, name, vec![plain(&template.replace("{}", &word(credential)))]);
            filling.headers.retain(|(known, _)| known != name);
            filling.headers.push((name.clone(), vec![hidden(&template.replace("{}", &credential.value))]));
        }
        filling.target = target(uri, &bound);
        filling.body = InBody::of(headers, &bound);
        filling
    }
}

impl Filling {
    /// Whether it changes what the request asks for.
    pub(crate) fn changes_target(&self) -> bool {
        self.target.is_some()
    }

    /// Puts the values in.
    pub(crate) fn apply(self, uri: &mut Uri, headers: &mut HeaderMap) {
        for (name, values) in self.headers {
            replace(headers, &name, values);
        }
        if let Some(target) = self.target {
            let mut parts = uri.clone().into_parts();
            parts.path_and_query = Some(target);
            if let Ok(filled) = Uri::from_parts(parts) {
                *uri = filled;
            }
        }
    }
}

impl Credential {
    fn may_go(&self, host: &Host, method: &Method, path: &str) -> bool {
        self.hosts.iter().any(|place| place.names(host))
            && (self.methods.is_empty() || self.methods.iter().any(|m| m == method.as_str()))
            && (self.paths.is_empty() || self.paths.iter().any(|p| fits(p, path)))
    }
}

/// Whether a text is what a pattern says, in which `*` is any text.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(text) = text.strip_prefix(begin) else { return false };
    (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| fits(rest, text.get(at..).unwrap_or_default()))
}

fn word(credential: &Credential) -> String {
    format!("[credential:{}]", credential.name)
}

/// A header's value with something else in the place of placeholders, also inside of Basic (RFC 7617); none where there
/// are none.
fn exchanged(value: &HeaderValue, bound: &[&Credential], other: impl Fn(&Credential) -> String) -> Option<String> {
    let text = value.to_str().ok()?;
    let within = |text: &str| {
        let there = bound.iter().filter(|c| text.contains(&c.placeholder));
        there.fold(None, |changed: Option<String>, c| {
            Some(changed.as_deref().unwrap_or(text).replace(&c.placeholder, &other(c)))
        })
    };
    if let Some(changed) = within(text) {
        return Some(changed);
    }
    let (scheme, encoded) = text.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))?;
    let pair = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    Some(format!("{scheme} {}", STANDARD.encode(within(&pair)?)))
}

/// The target of a request with the values in its query, and the request's own with words in their places.
fn target(uri: &mut Uri, bound: &[&Credential]) -> Option<PathAndQuery> {
    let query = uri.query()?;
    let there: Vec<&&Credential> = bound.iter().filter(|c| query.contains(&c.placeholder)).collect();
    if there.is_empty() {
        return None;
    }
    let with = |other: &dyn Fn(&Credential) -> String| {
        let query = there.iter().fold(query.to_owned(), |query, c| query.replace(&c.placeholder, &other(c)));
        format!("{}?{query}", uri.path()).parse::<PathAndQuery>().ok()
    };
    let real = with(&|c| url::form_urlencoded::byte_serialize(c.value.as_bytes()).collect())?;
    let shown = with(&|c| format!("credential:{}", c.name))?;
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(shown);
    *uri = Uri::from_parts(parts).ok()?;
    Some(real)
}

fn replace(headers: &mut HeaderMap, name: &HeaderName, values: Vec<HeaderValue>) {
    headers.remove(name);
    for value in values {
        headers.append(name, value);
    }
}

fn plain(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("[credential]"))
}

/// A value that no table of HTTP/2 keeps (RFC 7541 section 7.1.3) and no log shows.
fn hidden(text: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""));
    value.set_sensitive(true);
    value
}

/// What an origin that may show a credential again is asked for: an answer that is not packed.
pub(crate) fn ask_for_plain(headers: &mut HeaderMap) {
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELD: &str = "tok_placeholder00000";
    const VALUE: &str = "tok_value&0000000000";

    fn credentials(change: impl FnOnce(&mut Credential)) -> Credentials {
        let mut credential = Credential {
            name: "api".into(),
            value: VALUE.into(),
            placeholder: HELD.into(),
            hosts: vec!["api.example".parse().unwrap()],
            methods: vec![],
            paths: vec![],
            headers: vec![],
            in_body: false,
            anybody: false,
            echoes: vec![],
            aws: None,
        };
        change(&mut credential);
        Credentials::new(vec![credential]).not_for("unidentified".into())
    }

    /// What is judged, and what is sent: Authorization, X-Key, and the target.
    fn both(credentials: &Credentials, session: &str, url: &str, authorization: &str) -> [String; 2] {
        let mut uri: Uri = url.parse().unwrap();
        let scheme = if uri.scheme_str() == Some("http") { Scheme::Http } else { Scheme::Https };
        let to = Destination::parse(scheme, uri.authority().unwrap().as_str()).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, HeaderValue::from_str(authorization).unwrap());
        let origin = Origin { session: session.into(), ..Origin::default() };
        let filling = credentials.fill(&origin, &to, &Method::GET, &mut uri, &mut headers);
        let line = |uri: &Uri, headers: &HeaderMap| {
            let value = |name: &str| headers.get(name).map_or("", |v| v.to_str().unwrap()).to_owned();
            format!("{} {} {}", value("authorization"), value("x-key"), uri.path_and_query().unwrap())
        };
        let judged = line(&uri, &headers);
        filling.apply(&mut uri, &mut headers);
        [judged, line(&uri, &headers)]
    }

    #[test]
    fn a_placeholder_becomes_the_value_only_where_it_is_bound_to() {
        let usual = credentials(|_| {});
        let bearer = format!("Bearer {HELD}");
        let [judged, sent] = both(&usual, "s", "https://api.example/x", &bearer);
        assert_eq!((judged.as_str(), sent), ("Bearer [credential:api]  /x", format!("Bearer {VALUE}  /x")));
        for (session, url) in [
            ("s", "https://other.example/x"),
            ("s", "http://api.example/x"),
            ("unidentified", "https://api.example/x"),
            ("", "https://api.example/x"),
        ] {
            let [judged, sent] = both(&usual, session, url, &bearer);
            assert!(judged == sent && sent.contains(HELD), "{session} {url}: {judged} {sent}");
        }
        let anybody = credentials(|c| c.anybody = true);
        assert!(both(&anybody, "unidentified", "https://api.example/x", &bearer)[1].contains(VALUE));
        let narrow = credentials(|c| (c.methods, c.paths) = (vec!["GET".into()], vec!["/repos/*/x".into()]));
        assert!(both(&narrow, "s", "https://api.example/repos/a/b/x", &bearer)[1].contains(VALUE));
        assert!(both(&narrow, "s", "https://api.example/repos/a/b/y", &bearer)[1].contains(HELD));
        let posting = credentials(|c| c.methods = vec!["POST".into()]);
        assert!(both(&posting, "s", "https://api.example/x", &bearer)[1].contains(HELD));
    }

    #[test]
    fn it_may_stand_in_basic_in_the_query_and_in_a_header_of_its_own() {
        let usual = credentials(|_| {});
        let basic = format!("Basic {}", STANDARD.encode(format!("x-access-token:{HELD}")));
        let [judged, sent] = both(&usual, "s", "https://api.example/x", &basic);
        assert!(!judged.contains(&STANDARD.encode(HELD)[..12]), "{judged}");
        assert_eq!(sent, format!("Basic {}  /x", STANDARD.encode(format!("x-access-token:{VALUE}"))));
        let [judged, sent] = both(&usual, "s", &format!("https://api.example/x?a=1&key={HELD}&b=2"), "-");
        assert_eq!(judged, "-  /x?a=1&key=credential:api&b=2");
        assert_eq!(sent, "-  /x?a=1&key=tok_value%260000000000&b=2");
        let always = credentials(|c| c.headers = vec![(HeaderName::from_static("x-key"), "Key {}".into())]);
        let [judged, sent] = both(&always, "s", "https://api.example/x", "-");
        assert_eq!((judged.as_str(), sent), ("- Key [credential:api] /x", format!("- Key {VALUE} /x")));
    }
}
