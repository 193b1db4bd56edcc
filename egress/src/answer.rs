//! An answer on its way back: judged whole where it is short, otherwise by its head and the beginning of its text, and the
//! rest while it passes.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body::Body as _;
use hyper::upgrade::OnUpgrade;
use rampart_call::{Action, Call, Judgement, Origin, Phase};

use crate::{
    body::Body,
    decode::{self, Decoder},
    echo::Echo,
    exchange::{JUDGED, kind, length, texts},
    headers::{forget_coding, forget_digests},
    inspect::{self, Inspection, Passing, Stopped, complete, edited, inspected},
    meter::Meter,
    proxy::Proxy,
    refusal::Refused,
    websocket,
};

/// How long the beginning of an answer of unknown length is waited for, so that it can still be refused as a whole.
const FIRST_WORDS: Duration = Duration::from_millis(50);

/// A body of so many bytes goes on together with its head, which saves the client and us a packet.
const SHORT: u64 = 16 * 1024;

/// A connection that has left HTTP.
pub(crate) struct Relay {
    pub(crate) client: OnUpgrade,
    pub(crate) origin: OnUpgrade,
    /// What was decided about asking for it.
    pub(crate) asked: Judgement,
    /// What is taken out of what the origin says.
    pub(crate) echo: Option<Arc<Echo>>,
}

/// Judges the answer to `action`.
pub(crate) async fn answer(
    proxy: &Arc<Proxy>,
    origin: Origin,
    action: Action,
    mut response: Response<Body>,
    relay: Option<Relay>,
    meter: &Arc<Meter>,
) -> Result<Response<Body>, Refused> {
    let headers = response.headers();
    let mut seen = rampart_call::Response {
        text: String::new(),
        status: Some(response.status().as_u16()),
        headers: texts(headers),
        truncated: true,
        ..rampart_call::Response::default()
    };
    if relay.is_some() || !is_text(headers) || response.body().is_end_stream() {
        let Some(Relay { client, origin: upstream, asked, echo }) = relay else {
            let short = length(headers).is_some_and(|length| length <= SHORT);
            proxy.judge(Call { origin, phase: Phase::After, action, response: Some(seen) }).await?;
            if short {
                let read = response.body_mut().read_ahead(SHORT as usize, Some(FIRST_WORDS)).await;
                read.map_err(|e| Refused::broken_off(&e.to_string()))?;
            }
            return Ok(response);
        };
        let out = Inspection::after(proxy, inspect::call(&origin, &action, None), "", &asked);
        let call = inspect::call(&origin, &action, Some(seen));
        let permit = proxy.judge(call.clone()).await?;
        let back = Inspection::after(proxy, call, "", permit.judgement());
        proxy.tasks.spawn(websocket::relay(
            (client, upstream),
            (out, back),
            echo,
            Arc::clone(proxy),
            Arc::clone(meter),
        ));
        return Ok(response);
    }
    // A part of what was packed cannot be unpacked.
    let partial = response.status() == StatusCode::PARTIAL_CONTENT;
    let mut decoder = Decoder::of(headers).filter(|_| !partial);
    let grpc = kind(headers).starts_with("application/grpc");
    let conversation = grpc || kind(headers) == "text/event-stream";
    let announced = length(headers);
    let (mut all, mut plain) = (false, Vec::new());
    if !conversation {
        let pause = announced.is_none_or(|l| l > JUDGED as u64).then_some(FIRST_WORDS);
        let read = response.body_mut().read_ahead(JUDGED + 1, pause).await;
        all = read.map_err(|e| Refused::broken_off(&e.to_string()))?;
        plain = decode::whole(decoder.as_mut(), response.body().front(), all).map_err(|e| Refused::undecoded(&e))?;
    }
    let held = plain.split_off(if all { plain.len() } else { complete(&plain) });
    let valid = std::str::from_utf8(&plain).is_ok();
    seen.text = String::from_utf8_lossy(&plain).into_owned();
    seen.truncated = !all;
    let call = Call { origin, phase: Phase::After, action, response: Some(seen) };
    // Only what goes on needs its call again.
    let again = (!all).then(|| call.clone());
    let permit = proxy.judge(call).await?;
    if all && permit.edits().is_empty() {
        return Ok(response);
    }
    let keep_length = grpc || (!all && decoder.is_none() && announced.is_some());
    if !permit.edits().is_empty() {
        if !valid {
            return Err(Refused::uneditable());
        }
        let text = String::from_utf8_lossy(&plain).into_owned();
        plain = edited(text, permit.edits(), keep_length).into_bytes();
        forget_digests(response.headers_mut());
    }
    let headers = response.headers_mut();
    if decoder.is_some() {
        forget_coding(headers);
    }
    let Some(call) = again else {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(plain.len()));
        return Ok(response.map(|body| body.with_front(Bytes::from(plain))));
    };
    let judged = String::from_utf8_lossy(&plain).into_owned();
    let inspection = Inspection::after(proxy, call, &judged, permit.judgement());
    let passing = Passing::AsText { keep_length, held: held.as_slice().into(), words: !grpc };
    Ok(response.map(|mut body| {
        body.take_front();
        inspected(body, inspection, decoder, passing, Stopped::default()).with_front(Bytes::from(plain))
    }))
}

/// Whether there is text for people and models in it. What does not say what it is may be.
fn is_text(headers: &HeaderMap) -> bool {
    let kind = kind(headers);
    kind.is_empty()
        || kind.starts_with("text/")
        || kind.starts_with("application/grpc")
        || ["json", "xml", "javascript", "yaml", "toml", "x-www-form-urlencoded", "graphql"]
            .iter()
            .any(|k| kind.ends_with(k))
}
