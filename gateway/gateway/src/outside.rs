//! What the gateway is given of the network: a client that sends its requests, and whom it believes over TLS. It opens
//! no connection to a web server itself, so that what may be dialled and how it is verified is decided in one place.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, combinators::UnsyncBoxBody};
use tower::{BoxError, Service, ServiceExt as _, util::BoxCloneSyncService};

/// A body as it comes in.
pub type Body = UnsyncBoxBody<Bytes, BoxError>;
/// Sends a request and follows no redirect.
pub(crate) type Http = BoxCloneSyncService<Request<Full<Bytes>>, Response<Body>, BoxError>;

/// Answers longer than this many bytes are not read.
const LONGEST_ANSWER: usize = 64 * 1024;

/// The gateway's way to other machines.
#[derive(Clone)]
pub struct Outside {
    pub(crate) http: Http,
    pub(crate) tls: Arc<rustls::ClientConfig>,
}

impl Outside {
    /// `http` sends notifications, and questions to external verifiers; it follows no redirect. `tls` is for syslog.
    pub fn new<S>(http: S, tls: Arc<rustls::ClientConfig>) -> Self
    where
        S: Service<Request<Full<Bytes>>, Response = Response<Body>, Error = BoxError> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        Self { http: Http::new(http), tls }
    }
}

impl std::fmt::Debug for Outside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Outside")
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    /// How long the other side wants to be left alone (RFC 9110 section 10.2.3, in seconds).
    pub(crate) retry_after: Option<Duration>,
    pub(crate) body: Bytes,
}

/// Sends a request and reads its answer to the end. The caller sets the time.
///
/// # Errors
/// Why there is no answer, or none that can be used.
pub(crate) async fn send(http: &Http, request: Request<Bytes>) -> Result<Reply, String> {
    let response = http.clone().oneshot(request.map(Full::new)).await.map_err(|e| e.to_string())?;
    let (head, mut incoming) = response.into_parts();
    let mut body = BytesMut::new();
    while let Some(frame) = incoming.frame().await {
        let Ok(data) = frame.map_err(|e| e.to_string())?.into_data() else { continue };
        if body.len() + data.len() > LONGEST_ANSWER {
            return Err(format!("its answer is longer than {} KiB", LONGEST_ANSWER / 1024));
        }
        body.extend_from_slice(&data);
    }
    let retry_after = head.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Ok(Reply { status: head.status, retry_after: retry_after.map(Duration::from_secs), body: body.freeze() })
}
