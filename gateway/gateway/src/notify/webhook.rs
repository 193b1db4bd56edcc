//! Any other endpoint: the event as JSON. With a secret, `x-rampart-signature: sha256=<hex>` is the HMAC-SHA256 of the
//! body, as GitHub signs its webhooks; the body has the time and the number of the record, so a copy can be told.

use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderName, HeaderValue, Request, Uri};
use serde::Serialize;
use sha2::Sha256;

use super::{Event, Secret, target::post};

const SIGNATURE: HeaderName = HeaderName::from_static("x-rampart-signature");

#[derive(Serialize)]
struct Body<'a> {
    v: &'static str,
    #[serde(flatten)]
    event: &'a Event,
}

pub(super) fn render(event: &Event, url: &Uri, secret: Option<&Secret>) -> Request<Bytes> {
    let body = serde_json::to_value(Body { v: "rampart.notify.v1", event }).unwrap_or_default();
    let mut request = post(url, &body);
    if let Some(signature) = secret.and_then(|secret| sign(request.body(), secret)) {
        request.headers_mut().insert(SIGNATURE, signature);
    }
    request
}

fn sign(body: &[u8], secret: &Secret) -> Option<HeaderValue> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()).ok()?;
    mac.update(body);
    HeaderValue::from_str(&format!("sha256={}", hex::encode(mac.finalize().into_bytes()))).ok()
}

#[cfg(test)]
mod tests {
    use rampart_call::Outcome;
    use serde_json::Value;

    use super::*;
    use crate::notify::event::tests::event;

    #[test]
    fn a_denial_as_any_webhook_gets_it() {
        let url = Uri::from_static("http://localhost:8080/hook");
        let request = render(&event(Outcome::Deny, None), &url, None);
        assert!(!request.headers().contains_key(SIGNATURE));
        insta::assert_json_snapshot!(serde_json::from_slice::<Value>(request.body()).unwrap());
    }

    #[test]
    fn the_body_is_signed_with_the_secret() {
        // RFC 4231 section 4.3
        let signature = sign(b"what do ya want for nothing?", &Secret::new("Jefe")).unwrap();
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(signature, format!("sha256={expected}"));
    }
}
