//! The life of one request: read, judged, sent, and its answer judged.

use std::{borrow::Cow, sync::Arc, time::Duration};

use bytes::BytesMut;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version, header};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use rampart_call::{Action, Call, Origin, Permit, Phase, TraceParent};
use url::Url;

use crate::{
    answer::{Relay, answer},
    body::Body,
    credentials::{Filling, InBody, ask_for_plain},
    decode::{self, Decoder},
    destination::{Destination, Host, path_has_steps, path_is_ambiguous},
    echo::{Echo, Replacing},
    headers::{Wishes, absolute, agree, clean_request, clean_response, forget_coding, redirected},
    inspect::{self, Inspection, Passing, Stopped, complete, inspected},
    meter::{Meter, Way},
    pool::{Key, Protocol},
    proxy::{Connection, Proxy, Scope, permitted},
    refusal::Refused,
    tunnel::session,
    upstream::Route,
};

/// How much of a body is read before it is judged.
pub(crate) const JUDGED: usize = 64 * 1024;
/// How long a body may take to come that far: one of known size, and one that may be part of a conversation.
const PATIENCE: Duration = Duration::from_secs(30);
const GLANCE: Duration = Duration::from_millis(200);

/// Brings one request to its origin and the answer back, or says why not.
pub(crate) async fn run(connection: &Connection, request: Request<Incoming>) -> Result<Response<Body>, Refused> {
    let proxy = connection.proxy();
    if request.method().as_str().eq_ignore_ascii_case("CONNECT") {
        return Err(Refused::malformed("a tunnel inside a tunnel is not opened"));
    }
    let (origin, to) = match &connection.scope {
        Scope::Tunnel(tunnel) => {
            let route = tunnel.route.as_ref().map_err(Clone::clone)?;
            agreed(proxy, &tunnel.origin, &tunnel.to, &request).await?;
            let exchange = Exchange::read(
                proxy,
                traced(tunnel.origin.clone(), request.headers()),
                &tunnel.to,
                request,
                route.protocol,
            )?;
            return exchange.go(Towards::Found(route.clone())).await;
        }
        Scope::Forward => (connection.slot.origin(request.headers())?, absolute(request.uri())?),
        Scope::Redirected { address, port } => {
            (connection.slot.silent(), redirected(request.headers(), address, *port)?)
        }
    };
    let origin = traced(origin, request.headers());
    connection.note(&origin, &to);
    agreed(proxy, &origin, &to, &request).await?;
    let session = session(&origin);
    let exchange = Exchange::read(proxy, origin, &to, request, Protocol::Http1)?;
    exchange.go(Towards::Named(Arc::new(Key { session, to }))).await
}

/// The origin of a request that may be part of a trace. Its `traceparent` goes on to the origin server unchanged.
fn traced(origin: Origin, headers: &HeaderMap) -> Origin {
    let trace = headers.get("traceparent").and_then(|value| TraceParent::parse(value.to_str().ok()?));
    Origin { trace, ..origin }
}

/// Refuses a request whose names disagree, and puts the attempt on record.
async fn agreed(proxy: &Proxy, origin: &Origin, to: &Destination, request: &Request<Incoming>) -> Result<(), Refused> {
    let agreed = agree(request.headers(), request.uri(), to);
    if let Err(refused) = &agreed {
        let action = Action::Connect { host: to.host.text(), port: to.port, addresses: Vec::new() };
        record_failure(proxy, origin, action, refused).await;
    }
    agreed
}

/// Puts on record that something the gate allowed failed all the same.
pub(crate) async fn record_failure(proxy: &Proxy, origin: &Origin, action: Action, refused: &Refused) {
    let response = rampart_call::Response {
        text: format!("{}: {}", refused.code(), refused.message()),
        status: Some(refused.status().as_u16()),
        ..rampart_call::Response::default()
    };
    let call = Call { origin: origin.clone(), phase: Phase::After, action, response: Some(response) };
    // What is told to the client is our own text, whatever a rule about responses says of it.
    let _ = proxy.judge(call).await;
}

/// Where a request goes.
enum Towards {
    /// To whom the tunnel that it came through was opened.
    Found(Route),
    /// To whoever has this name.
    Named(Arc<Key>),
}

/// A request in its canonical form.
struct Exchange<'a> {
    proxy: &'a Arc<Proxy>,
    origin: Origin,
    url: String,
    wishes: Wishes,
    request: Request<Body>,
    /// What is put into it when it leaves.
    filling: Filling,
    /// What is taken out of its answer.
    echo: Option<Arc<Echo>>,
    client: Option<OnUpgrade>,
}

impl<'a> Exchange<'a> {
    fn read(
        proxy: &'a Arc<Proxy>,
        origin: Origin,
        to: &Destination,
        mut request: Request<Incoming>,
        protocol: Protocol,
    ) -> Result<Self, Refused> {
        let raw = request.uri().path_and_query().map_or("/", |p| p.as_str());
        let path = if raw.starts_with('/') { raw } else { "/" };
        if path_is_ambiguous(request.uri().path()) {
            return Err(Refused::malformed(
                "the path has an encoded slash beside `..`, or a NUL: servers disagree where it leads",
            ));
        }
        let stepped = path_has_steps(request.uri().path());
        let written = format!("{}://{}{path}", to.scheme.as_str(), to.authority());
        let mut url = if !stepped && is_canonical(to, path) {
            written
        } else {
            let url = Url::parse(&written).map_err(|e| Refused::malformed(format!("the URL cannot be read: {e}")))?;
            // The origin must see the place that was judged, and otherwise the client's own spelling, which may be signed.
            if stepped {
                let judged = &url[url::Position::BeforePath..url::Position::AfterQuery];
                *request.uri_mut() = judged.parse().map_err(|_| Refused::malformed("the path cannot be read"))?;
            }
            url.into()
        };
        // The HTTP library lets it into names that came by HTTP/2, and no others that are no tokens (RFC 9110 section 5.1).
        if request.version() == Version::HTTP_2 && request.headers().keys().any(|name| name.as_str().contains('"')) {
            return Err(Refused::malformed("the name of a header has a quotation mark"));
        }
        // Rules read methods in any case, and some servers do; what is judged as a POST is sent as one.
        if request.method().as_str().bytes().any(|b| b.is_ascii_lowercase()) {
            let method = Method::from_bytes(request.method().as_str().to_ascii_uppercase().as_bytes());
            *request.method_mut() = method.map_err(|_| Refused::malformed("the method cannot be read"))?;
        }
        let method = request.method().clone();
        let wishes = clean_request(&method, request.headers_mut(), protocol == Protocol::Http1, &proxy.name)?;
        let client = wishes.websocket.then(|| hyper::upgrade::on(&mut request));
        let (mut head, incoming) = request.into_parts();
        let filling = proxy.credentials.fill(&origin, to, &method, &mut head.uri, &mut head.headers);
        if filling.changes_target() {
            let bare = url.split('?').next().unwrap_or_default();
            url = format!("{bare}?{}", head.uri.query().unwrap_or_default());
        }
        let echo = proxy.credentials.echo(&to.host);
        if echo.is_some() {
            ask_for_plain(&mut head.headers);
        }
        let request = Request::from_parts(head, Body::streaming(incoming, None));
        Ok(Self { proxy, origin, url, wishes, request, filling, echo, client })
    }

    async fn go(mut self, towards: Towards) -> Result<Response<Body>, Refused> {
        let named = |key: &Arc<Key>, addresses| Route { key: Arc::clone(key), addresses, protocol: Protocol::Http1 };
        let route = match &towards {
            Towards::Found(route) => Some(Ok(route.clone())),
            Towards::Named(key) => {
                let found = self.proxy.look_up(&key.to, || inspect::call(&self.origin, &self.action(None), None)).await;
                found.map(|found| found.map(|addresses| named(key, addresses)))
            }
        };
        let mut action = self.action(route.as_ref().and_then(|route| route.as_ref().ok()));
        // A client that waits to be told to go on is judged without its body first: reading it is telling it.
        if self.wishes.go_ahead {
            self.judge(&action).await?;
        }
        let rest = self.read_body(&mut action).await?;
        let permit = if self.wishes.go_ahead { self.judge_part(&action).await? } else { self.judge(&action).await? };
        let meter = Meter::new(self.proxy, self.without_body(&mut action), permit.judgement());
        let stopped = Stopped::default();
        if let Some(decoder) = rest {
            self.judge_the_rest(&action, &permit, decoder, Arc::clone(&stopped));
        }
        self.request = self.request.map(|body| body.metered(&meter, Way::Out));
        let (proxy, origin) = (self.proxy, self.origin.clone());
        let route = match (route, towards) {
            (Some(route), _) => route,
            (None, Towards::Found(route)) => Ok(route),
            (None, Towards::Named(key)) => proxy.resolver.resolve(&key.to).await.map(|found| named(&key, found)),
        };
        match self.send(permit, route).await {
            Ok((response, relay)) => {
                let response = answer(proxy, origin, action, response, relay, &meter).await?;
                Ok(response.map(|body| body.metered(&meter, Way::Back)))
            }
            // The origin only missed the rest of a body that we stopped, which is on record.
            Err(_) if stopped.get().is_some() => Err(stopped.get().cloned().unwrap_or_else(Refused::looped)),
            Err(refused) => {
                record_failure(proxy, &origin, action, &refused).await;
                Err(refused)
            }
        }
    }

    /// Has what follows the judged beginning of the body judged while it passes.
    fn judge_the_rest(&mut self, action: &Action, permit: &Permit, decoder: Option<Decoder>, stopped: Stopped) {
        let grpc = kind(self.request.headers()).starts_with("application/grpc");
        let mut body = std::mem::replace(self.request.body_mut(), Body::empty());
        let mut front = body.take_front();
        let (judged, passing) = if decoder.is_some() {
            let judged = match action {
                Action::Fetch { body: Some(text), .. } => text.as_str(),
                _ => "",
            };
            (Cow::Borrowed(judged), Passing::Unchanged)
        } else {
            // Half a secret is not sent before its other half was seen.
            let held = front.split_off(if grpc { front.len() } else { complete(&front) });
            let judged = Cow::Owned(String::from_utf8_lossy(&front).into_owned());
            (judged, Passing::AsText { keep_length: true, words: !grpc, held: BytesMut::from(held) })
        };
        let call = inspect::call(&self.origin, action, None);
        let inspection =
            Inspection::after(self.proxy, call, &judged, permit.judgement()).showing(self.shown().cloned());
        let rest = inspected(body, inspection, decoder, passing, stopped);
        *self.request.body_mut() = rest.with_front(front);
    }

    /// What whoever judges the body sees in place of placeholders.
    fn shown(&self) -> Option<&Arc<Echo>> {
        self.filling.body.as_ref().map(InBody::shown)
    }

    fn action(&self, route: Option<&Route>) -> Action {
        Action::Fetch {
            method: self.request.method().as_str().to_owned(),
            url: self.url.clone(),
            headers: texts(self.request.headers()),
            body: None,
            body_size: length(self.request.headers()),
            addresses: route.map(|r| r.addresses.ips()).unwrap_or_default(),
        }
    }

    fn judge(&self, action: &Action) -> impl Future<Output = Result<Permit, Refused>> {
        self.proxy.judge(inspect::call(&self.origin, action, None))
    }

    async fn judge_part(&self, action: &Action) -> Result<Permit, Refused> {
        permitted(self.proxy.gate.judge_part(inspect::call(&self.origin, action, None)).await)
    }

    /// The call without its body, which may be long.
    fn without_body(&self, action: &mut Action) -> Call {
        let body = match action {
            Action::Fetch { body, .. } => body.take(),
            _ => None,
        };
        let call = inspect::call(&self.origin, action, None);
        if let Action::Fetch { body: place, .. } = action {
            *place = body;
        }
        call
    }

    /// Reads the beginning of the body, where that cannot stall a conversation. What undoes the codings of the rest, if
    /// there is a rest.
    async fn read_body(&mut self, whole: &mut Action) -> Result<Option<Option<Decoder>>, Refused> {
        use http_body::Body as _;
        let headers = self.request.headers();
        if self.request.body().is_end_stream() {
            return Ok(None);
        }
        let mut decoder = Decoder::of(headers);
        if kind(headers).starts_with("application/grpc") {
            return Ok(Some(decoder));
        }
        let pause = if headers.contains_key(header::CONTENT_LENGTH) { PATIENCE } else { GLANCE };
        let read = self.request.body_mut().read_ahead(JUDGED, Some(pause)).await;
        let all = read.map_err(|e| Refused::malformed(format!("the body of the request broke off: {e}")))?;
        let front = self.request.body().front();
        let plain = decode::whole(decoder.as_mut(), front, all).map_err(|e| Refused::undecoded(&e))?;
        if let Action::Fetch { body, body_size, .. } = whole {
            let shown = self.shown().and_then(|shown| shown.replaced(&plain));
            let plain = shown.unwrap_or(plain);
            *body = Some(String::from_utf8_lossy(&plain).into_owned());
            if all {
                *body_size = Some(front.len() as u64);
            }
        }
        Ok((!all).then_some(decoder))
    }

    async fn send(
        mut self,
        permit: Permit,
        route: Result<Route, Refused>,
    ) -> Result<(Response<Body>, Option<Relay>), Refused> {
        let route = route?;
        self.proxy.resolver.check(&route.key.to, &route.addresses)?;
        let asked = self.client.as_ref().map(|_| permit.judgement().clone());
        if let Some(body) = self.filling.body.take() {
            self.request = body.fill(self.request).map_err(|e| Refused::undecoded(&e))?;
        }
        let signature = self.filling.signature.take();
        let mut filled = std::mem::take(self.request.uri_mut());
        self.filling.apply(&mut filled, self.request.headers_mut());
        *self.request.uri_mut() = filled;
        if let Some(signature) = signature {
            self.request = signature.sign(self.request, &route.key.to).await?;
        }
        let mut response = self.proxy.upstream.send(permit, &route, self.request).await?;
        let switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        let relay = match self.client.zip(asked) {
            Some((client, asked)) if switched => {
                let origin = hyper::upgrade::on(&mut response);
                Some(Relay { client, origin, asked, echo: self.echo.clone() })
            }
            None if switched => {
                return Err(Refused::unreachable(&route.key.to, "it switched protocols without being asked"));
            }
            _ => None,
        };
        clean_response(response.headers_mut(), switched);
        match self.echo {
            Some(echo) if relay.is_none() => Ok((without(echo, response)?, relay)),
            _ => Ok((response, relay)),
        }
    }
}

/// Whether a parser of URLs would leave these as they are, so that it need not be asked.
fn is_canonical(to: &Destination, path: &str) -> bool {
    let named = matches!(to.host, Host::Name(_) | Host::Address(std::net::IpAddr::V4(_)));
    named && path.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~/?=&%+,:;@!$*()".contains(&b))
}

/// An answer without the credentials in it. Where it is packed all the same, it is unpacked.
fn without(echo: Arc<Echo>, mut response: Response<Body>) -> Result<Response<Body>, Refused> {
    echo.clean(response.headers_mut());
    response.extensions_mut().remove::<hyper::ext::ReasonPhrase>();
    let decoder = Decoder::of(response.headers());
    if decoder.is_some() {
        forget_coding(response.headers_mut());
    }
    let (mut head, body) = response.into_parts();
    if http_body::Body::is_end_stream(&body) {
        return Ok(Response::from_parts(head, body));
    }
    let replacing = Replacing::new(echo, decoder);
    if !replacing.keeps_length() {
        head.headers.remove(header::CONTENT_LENGTH);
    }
    let body = body.replacing(replacing).map_err(|e| Refused::undecoded(&e))?;
    Ok(Response::from_parts(head, body))
}

pub(crate) fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    headers.iter().map(|(n, v)| (n.as_str().to_owned(), String::from_utf8_lossy(v.as_bytes()).into_owned())).collect()
}

pub(crate) fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

pub(crate) fn kind(headers: &HeaderMap) -> String {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::destination::Scheme;

    #[test]
    fn what_is_called_canonical_is_what_a_parser_makes_of_it() {
        for host in ["example.com", "a_b.example:8443", "10.0.0.1", "xn--bcher-kva.example"] {
            let to = Destination::parse(Scheme::Https, host).unwrap();
            for path in ["/", "/a?b=c&d=%20e", "//x/@y:z;1,2", "/?q=(a)*!$+~", "/a%zz", "/%2F..a", "/?a?/b/../c"] {
                let written = format!("https://{}{path}", to.authority());
                assert!(is_canonical(&to, path), "{path}");
                assert_eq!(Url::parse(&written).unwrap().as_str(), written);
            }
        }
        let to = Destination::parse(Scheme::Https, "[::ffff:10.0.0.1]").unwrap();
        assert!(!is_canonical(&to, "/"));
        let to = Destination::parse(Scheme::Https, "example.com").unwrap();
        for path in ["/'", "/?'", "/|", "/a b", "/\u{fc}", "/#", "/\"", "/a\\b", "/{}"] {
            assert!(!is_canonical(&to, path), "{path}");
        }
    }
}
