//! The life of one request: read, judged, sent, and its answer judged.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use hyper_util::rt::TokioIo;
use rampart_call::{Action, Call, Edit, Origin, Permit, Phase};
use url::Url;

use crate::{
    body::Body,
    destination::{Destination, path_has_steps, path_is_ambiguous},
    headers::{Wishes, absolute, agree, clean_request, clean_response},
    pool::{Key, Protocol},
    proxy::{Connection, Proxy, Scope},
    refusal::Refused,
    tunnel::session,
    upstream::Route,
};

/// How much of a body is read before its request is judged, and of an answer that is judged whole.
const JUDGED: usize = 64 * 1024;
/// How long a body may take to come that far: one of known size, and one that may be part of a conversation.
const PATIENCE: Duration = Duration::from_secs(30);
const GLANCE: Duration = Duration::from_millis(200);

/// Brings one request to its origin and the answer back, or says why not.
pub(crate) async fn run(connection: &Connection, request: Request<Incoming>) -> Result<Response<Body>, Refused> {
    let proxy = connection.proxy();
    if request.method() == Method::CONNECT {
        return Err(Refused::malformed("a tunnel inside a tunnel is not opened"));
    }
    match &connection.scope {
        Scope::Tunnel(tunnel) => {
            let route = tunnel.route.as_ref().map_err(Clone::clone)?;
            agreed(proxy, &tunnel.origin, &tunnel.to, &request).await?;
            let exchange = Exchange::read(proxy, tunnel.origin.clone(), &tunnel.to, request, route.protocol)?;
            exchange.go(Ok(route.clone())).await
        }
        Scope::Forward => {
            let origin = proxy.origin(request.headers())?;
            let to = absolute(request.uri())?;
            agreed(proxy, &origin, &to, &request).await?;
            let session = session(&origin);
            let exchange = Exchange::read(proxy, origin, &to, request, Protocol::Http1)?;
            let resolved = proxy.resolver.resolve(&to).await;
            let key = std::sync::Arc::new(Key { session, to });
            exchange.go(resolved.map(|addresses| Route { key, addresses, protocol: Protocol::Http1 })).await
        }
    }
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

/// A request in its canonical form.
struct Exchange<'a> {
    proxy: &'a Proxy,
    origin: Origin,
    url: Url,
    wishes: Wishes,
    request: Request<Body>,
    client: Option<OnUpgrade>,
}

impl<'a> Exchange<'a> {
    fn read(
        proxy: &'a Proxy,
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
        let url = Url::parse(&format!("{}://{}{path}", to.scheme.as_str(), to.authority()))
            .map_err(|e| Refused::malformed(format!("the URL cannot be read: {e}")))?;
        // The origin must see the place that was judged, and otherwise the client's own spelling, which may be signed.
        if path_has_steps(request.uri().path()) {
            let judged = &url[url::Position::BeforePath..url::Position::AfterQuery];
            *request.uri_mut() = judged.parse().map_err(|_| Refused::malformed("the path cannot be read"))?;
        }
        let method = request.method().clone();
        let wishes = clean_request(&method, request.headers_mut(), protocol == Protocol::Http1, &proxy.name)?;
        let client = wishes.websocket.then(|| hyper::upgrade::on(&mut request));
        let request = request.map(|incoming| Body::streaming(incoming, None));
        Ok(Self { proxy, origin, url, wishes, request, client })
    }

    async fn go(mut self, route: Result<Route, Refused>) -> Result<Response<Body>, Refused> {
        let mut action = self.action(route.as_ref().ok());
        // A client that waits to be told to go on is judged without its body first: reading it is telling it.
        if self.wishes.go_ahead {
            self.judge(action.clone()).await?;
        }
        self.read_body(&mut action).await?;
        let permit = self.judge(action.clone()).await?;
        let (proxy, origin) = (self.proxy, self.origin.clone());
        match self.send(permit, route).await {
            Ok((response, relay)) => answer(proxy, origin, action, response, relay).await,
            Err(refused) => {
                record_failure(proxy, &origin, action, &refused).await;
                Err(refused)
            }
        }
    }

    fn action(&self, route: Option<&Route>) -> Action {
        Action::Fetch {
            method: self.request.method().as_str().to_ascii_uppercase(),
            url: self.url.to_string(),
            headers: texts(self.request.headers()),
            body: None,
            body_size: length(self.request.headers()),
            addresses: route.map(|r| r.addresses.ips()).unwrap_or_default(),
        }
    }

    async fn judge(&self, action: Action) -> Result<Permit, Refused> {
        let call = Call { origin: self.origin.clone(), phase: Phase::Before, action, response: None };
        self.proxy.judge(call).await
    }

    /// Reads the beginning of the body, where that cannot stall a conversation.
    async fn read_body(&mut self, whole: &mut Action) -> Result<(), Refused> {
        use http_body::Body as _;
        let headers = self.request.headers();
        if self.request.body().is_end_stream() || kind(headers).starts_with("application/grpc") {
            return Ok(());
        }
        let pause = if headers.contains_key(header::CONTENT_LENGTH) { PATIENCE } else { GLANCE };
        let read = self.request.body_mut().read_ahead(JUDGED, Some(pause)).await;
        let all = read.map_err(|e| Refused::malformed(format!("the body of the request broke off: {e}")))?;
        if let Action::Fetch { body, body_size, .. } = whole {
            let front = self.request.body().front();
            *body = text(front).map(str::to_owned);
            if all {
                *body_size = Some(front.len() as u64);
            }
        }
        Ok(())
    }

    async fn send(
        self,
        permit: Permit,
        route: Result<Route, Refused>,
    ) -> Result<(Response<Body>, Option<(OnUpgrade, OnUpgrade)>), Refused> {
        let route = route?;
        self.proxy.resolver.check(&route.key.to, &route.addresses)?;
        let mut response = self.proxy.upstream.send(permit, &route, self.request).await?;
        let switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        let relay = match self.client {
            Some(client) if switched => Some((client, hyper::upgrade::on(&mut response))),
            None if switched => {
                return Err(Refused::unreachable(&route.key.to, "it switched protocols without being asked"));
            }
            _ => None,
        };
        clean_response(response.headers_mut(), switched);
        Ok((response, relay))
    }
}

/// Judges the answer: whole where it is a short text, otherwise by its head, so that what streams goes on streaming.
async fn answer(
    proxy: &Proxy,
    origin: Origin,
    action: Action,
    mut response: Response<Body>,
    relay: Option<(OnUpgrade, OnUpgrade)>,
) -> Result<Response<Body>, Refused> {
    let mut seen = rampart_call::Response {
        text: String::new(),
        status: Some(response.status().as_u16()),
        headers: texts(response.headers()),
        truncated: true,
    };
    let short = length(response.headers()).is_some_and(|l| l <= JUDGED as u64) && is_plain_text(response.headers());
    if short {
        let read = response.body_mut().read_ahead(JUDGED + 1, None).await;
        let all = read.map_err(|e| Refused::broken_off(&e.to_string()))?;
        if let Some(text) = text(response.body().front()) {
            text.clone_into(&mut seen.text);
            seen.truncated = !all || text.len() != response.body().front().len();
        }
    }
    let (text, truncated) = (seen.text.clone(), seen.truncated);
    let call = Call { origin, phase: Phase::After, action, response: Some(seen) };
    let permit = proxy.judge(call).await?;
    if !permit.edits().is_empty() && !truncated {
        let edited = edit(text, permit.edits());
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(edited.len()));
        response = response.map(|body| body.with_front(Bytes::from(edited)));
    }
    if let Some((client, upstream)) = relay {
        proxy.tasks.spawn(relayed(client, upstream));
    }
    Ok(response)
}

/// Carries a WebSocket's bytes until either side ends.
async fn relayed(client: OnUpgrade, upstream: OnUpgrade) {
    let carried = async {
        let (client, upstream) = tokio::try_join!(client, upstream).map_err(std::io::Error::other)?;
        tokio::io::copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(upstream)).await
    };
    match carried.await {
        Ok((out, back)) => tracing::debug!(out, back, "a WebSocket ended"),
        Err(error) => tracing::debug!(%error, "a WebSocket broke off"),
    }
}

/// Replaces spans of the text. Spans that do not fit the text are widened to whole characters, or left.
fn edit(mut text: String, edits: &[Edit]) -> String {
    let mut edits: Vec<&Edit> = edits.iter().collect();
    edits.sort_by_key(|e| std::cmp::Reverse(e.span.start));
    let mut untouched = text.len();
    for edit in edits {
        let start = (0..=edit.span.start.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        let end = edit.span.end.min(untouched);
        let end = (end..=untouched).find(|i| text.is_char_boundary(*i)).unwrap_or(untouched);
        if start < end {
            text.replace_range(start..end, &edit.with);
            untouched = start;
        }
    }
    text
}

fn texts(headers: &HeaderMap) -> Vec<(String, String)> {
    headers.iter().map(|(n, v)| (n.as_str().to_owned(), String::from_utf8_lossy(v.as_bytes()).into_owned())).collect()
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn kind(headers: &HeaderMap) -> String {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_plain_text(headers: &HeaderMap) -> bool {
    let kind = kind(headers);
    let textual = kind.starts_with("text/")
        || ["json", "xml", "javascript", "yaml", "x-www-form-urlencoded", "graphql"].iter().any(|k| kind.ends_with(k));
    textual && kind != "text/event-stream" && !headers.contains_key(header::CONTENT_ENCODING)
}

/// The bytes as text, up to a character that is cut off at their end.
fn text(bytes: &[u8]) -> Option<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(e) if e.error_len().is_none() => std::str::from_utf8(bytes.get(..e.valid_up_to())?).ok(),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use rampart_call::Span;

    use super::*;

    #[test]
    fn edits_replace_what_they_name_and_cut_no_character() {
        let edits = |list: &[(usize, usize)]| -> Vec<Edit> {
            list.iter().map(|&(start, end)| Edit { span: Span { start, end }, with: "*".into() }).collect()
        };
        for (list, expected) in [
            (&[(0, 3)][..], "* key é end"),
            (&[(4, 7), (0, 3)], "* * é end"),
            (&[(9, 10)], "the key * end"),
            (&[(0, 5), (2, 7)], "** é end"),
            (&[(10, 999)], "the key é*"),
            (&[(50, 60)], "the key é end"),
            (&[(5, 2)], "the key é end"),
        ] {
            assert_eq!(edit("the key é end".into(), &edits(list)), expected, "{list:?}");
        }
    }

    #[test]
    fn text_may_end_inside_a_character_but_not_hold_other_bytes() {
        assert_eq!(text(b"ab\xc3"), Some("ab"));
        assert_eq!(text(b"a\xffb"), None);
    }
}
