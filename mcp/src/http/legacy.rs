//! Clients of HTTP+SSE (MCP 2024-11-05): they open one stream, are told on it where to post, and get every answer on it.
//! To the server behind they are clients of Streamable HTTP.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::BodyExt as _;
use tokio::{sync::mpsc, time::timeout};

use super::{
    ALIVE, Body, Failed, empty,
    events::Splitter,
    flattened, headers, is,
    listener::Endpoint,
    streamed,
    whose::{Caller, drawn},
};
use crate::{
    answer,
    message::{self, Id, Message},
};

/// How many messages a stream may be behind.
const BEHIND: usize = 64;
/// How long a stream is silent before it says that it lives.
const SILENCE: Duration = Duration::from_secs(20);

/// The streams that are open.
#[derive(Debug, Default)]
pub(super) struct Legacy(Mutex<HashMap<String, Arc<Client>>>);

/// A client, for as long as its stream is open.
#[derive(Debug)]
struct Client {
    endpoint: Endpoint,
    caller: Caller,
    whose: Option<HeaderValue>,
    /// The session with the server behind, once there is one.
    session: Mutex<Option<HeaderValue>>,
    to: mpsc::Sender<Bytes>,
    limit: usize,
}

/// Ends the client with its stream.
struct Open {
    legacy: Arc<Legacy>,
    id: String,
    client: Arc<Client>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.legacy.held().remove(&self.id);
        let client = Arc::clone(&self.client);
        tokio::spawn(async move {
            client.endpoint.clone().leave(client.caller, &client.told(&HeaderMap::new())).await;
        });
    }
}

impl Legacy {
    fn held(&self) -> MutexGuard<'_, HashMap<String, Arc<Client>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The stream of a new client, who is told to post to this path. Messages are of `limit` bytes at most.
    pub(super) fn open(
        self: Arc<Self>,
        endpoint: Endpoint,
        caller: Caller,
        told: &HeaderMap,
        path: &str,
        limit: usize,
    ) -> Result<Response<Body>, Failed> {
        let id = super::unguessable()?;
        let (to, said) = mpsc::channel(BEHIND);
        let whose = told.get(header::AUTHORIZATION).cloned();
        let caller = Caller { stream: Some(drawn()?), ..caller };
        let client = Arc::new(Client { endpoint, caller, whose, session: Mutex::default(), to, limit });
        self.held().insert(id.clone(), Arc::clone(&client));
        let first = Bytes::from(format!("event: endpoint\ndata: {path}?sessionId={id}\n\n"));
        let open = Open { legacy: self, id, client };
        let said = stream::unfold((said, open), |(mut said, open)| async {
            match timeout(SILENCE, said.recv()).await {
                Ok(event) => event.map(|event| (event, (said, open))),
                Err(_) => Some((ALIVE, (said, open))),
            }
        });
        Ok(streamed(stream::iter([first]).chain(said)))
    }

    /// A message of a client's. What comes of a request comes on the stream.
    pub(super) async fn post(
        &self,
        caller: Caller,
        query: Option<&str>,
        told: &HeaderMap,
        line: Bytes,
    ) -> Result<Response<Body>, Failed> {
        let id = query.and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("sessionId=")));
        let client = id.and_then(|id| self.held().get(id).cloned());
        let is_theirs = |client: &Arc<Client>| {
            client.caller.token == caller.token && client.whose.as_ref() == told.get(header::AUTHORIZATION)
        };
        let Some(client) = client.filter(is_theirs) else {
            let why = "there is no such stream, or it has ended; open a new one";
            return Err(Failed::new(StatusCode::NOT_FOUND, None, message::INVALID_REQUEST, why));
        };
        let text = std::str::from_utf8(&line).map(flattened).unwrap_or_default();
        let told = client.told(told);
        // What can be read and wants an answer. All else is told what is wrong with it at once.
        let Ok(Message::Request { id, method, .. }) = message::parse(text.as_bytes()) else {
            return client.endpoint.clone().post(client.caller, &told, line).await;
        };
        tokio::spawn(async move {
            let begins = method == "initialize";
            match client.endpoint.clone().post(client.caller, &told, line).await {
                Ok(response) => {
                    let session = response.headers().get(headers::SESSION).filter(|_| begins).cloned();
                    let begun = session.is_some();
                    if begun {
                        *client.held() = session;
                    }
                    client.pass_on(response, Some(&id)).await;
                    let (endpoint, told) = (client.endpoint.clone(), client.told(&told));
                    if begun && let Ok(own) = endpoint.pass(client.caller, Method::GET, &told).await {
                        client.pass_on(own, None).await;
                    }
                }
                Err(Failed(_, body)) => client.say(&body).await,
            }
        });
        let mut response = Response::new(empty());
        *response.status_mut() = StatusCode::ACCEPTED;
        Ok(response)
    }
}

impl Client {
    fn held(&self) -> MutexGuard<'_, Option<HeaderValue>> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn session(&self) -> Option<HeaderValue> {
        self.held().clone()
    }

    /// The headers of a request to the endpoint.
    fn told(&self, told: &HeaderMap) -> HeaderMap {
        let mut told = told.clone();
        told.remove(headers::SESSION);
        told.insert(header::ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
        if let Some(whose) = &self.whose {
            told.insert(header::AUTHORIZATION, whose.clone());
        }
        if let Some(session) = self.session() {
            told.insert(headers::SESSION, session);
        }
        told
    }

    /// Puts all that an answer holds on the stream.
    async fn pass_on(&self, response: Response<Body>, asked: Option<&Id>) {
        let (head, mut body) = response.into_parts();
        if is(&head.headers, "text/event-stream") && head.status.is_success() {
            let mut splitter = Splitter::new(self.limit);
            while let Some(Ok(frame)) = body.frame().await {
                let Ok(data) = frame.into_data() else { continue };
                splitter.feed(&data);
                while let Ok(Some(event)) = splitter.next() {
                    if let Some(data) = event.data.filter(|data| !data.is_empty()) {
                        self.say(data.as_bytes()).await;
                    }
                }
            }
            return;
        }
        let Some(id) = asked else { return };
        let text = super::collected(body, self.limit).await.unwrap_or_default();
        let text = std::str::from_utf8(&text).map(flattened).unwrap_or_default();
        match message::parse(text.as_bytes()) {
            Ok(Message::Response { id: answered, .. }) if answered == *id => self.say(text.as_bytes()).await,
            _ => {
                let why = format!("the server answered with {}", head.status);
                self.say(&answer::error(Some(id), message::INTERNAL_ERROR, &why)).await;
            }
        }
    }

    async fn say(&self, line: &[u8]) {
        let event = [b"event: message\ndata: ", line.trim_ascii_end(), b"\n\n"].concat();
        // An error says that the client has left.
        drop(self.to.send(event.into()).await);
    }
}
