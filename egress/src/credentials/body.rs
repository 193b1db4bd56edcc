//! Credentials in the bodies of requests, where their binding says so: in JSON and in forms, written as these want it, and
//! wherever the stream is cut. Whoever judges sees a word of the same length in the place of each.

use std::sync::Arc;

use http::{HeaderMap, Request, header};

use super::{Credential, word};
use crate::{
    body::Body,
    decode::{Decoder, Undecoded},
    echo::{Echo, Replacing},
    exchange::kind,
    headers::{forget_coding, forget_digests},
    inspect::fitted,
};

/// What is put into one body.
pub(crate) struct InBody {
    real: Arc<Echo>,
    shown: Arc<Echo>,
}

/// How a value is written in a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spelling {
    Json,
    Form,
}

impl Spelling {
    fn of(headers: &HeaderMap) -> Option<Self> {
        match kind(headers).as_str() {
            "application/x-www-form-urlencoded" => Some(Self::Form),
            json if json.ends_with("json") => Some(Self::Json),
            _ => None,
        }
    }

    fn write(self, text: &str) -> String {
        match self {
            Self::Json => serde_json::Value::from(text).to_string().trim_matches('"').to_owned(),
            Self::Form => url::form_urlencoded::byte_serialize(text.as_bytes()).collect(),
        }
    }
}

impl InBody {
    /// None where nothing may be put in.
    pub(super) fn of(headers: &HeaderMap, bound: &[&Credential]) -> Option<Self> {
        if !bound.iter().any(|credential| credential.in_body) {
            return None;
        }
        let spelling = Spelling::of(headers)?;
        let (mut real, mut shown) = (Vec::new(), Vec::new());
        for credential in bound.iter().filter(|credential| credential.in_body) {
            let mut held = vec![spelling.write(&credential.placeholder), credential.placeholder.clone()];
            held.dedup();
            for held in held {
                shown.push((held.clone().into_bytes(), fitted(&word(credential), held.len()).into_bytes()));
                real.push((held.into_bytes(), spelling.write(&credential.value).into_bytes()));
            }
        }
        Some(Self { real: Arc::new(Echo::new(real)), shown: Arc::new(Echo::new(shown)) })
    }

    /// What whoever judges sees in place of placeholders.
    pub(crate) fn shown(&self) -> &Arc<Echo> {
        &self.shown
    }

    /// Puts the values in. A body that is packed goes on unpacked.
    pub(crate) fn fill(&self, request: Request<Body>) -> Result<Request<Body>, Undecoded> {
        use http_body::Body as _;
        if request.body().is_end_stream() {
            return Ok(request);
        }
        let (mut head, body) = request.into_parts();
        let decoder = Decoder::of(&head.headers);
        if decoder.is_some() {
            forget_coding(&mut head.headers);
        }
        let replacing = Replacing::new(Arc::clone(&self.real), decoder);
        if !replacing.keeps_length() {
            head.headers.remove(header::CONTENT_LENGTH);
        }
        forget_digests(&mut head.headers);
        Ok(Request::from_parts(head, body.replacing(replacing)?))
    }
}
