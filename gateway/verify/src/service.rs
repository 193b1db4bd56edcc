//! `POST /verify`: one question of a gateway, answered from memory, by the model, or with "ask a human".

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use bytes::BytesMut;
use http_body_util::{BodyExt as _, Full};
use tokio::time::timeout;
use tower::ServiceExt as _;

use crate::{
    ledger::{Budget, Cache},
    model::{Answer, Decision, Model},
    question::{NoQuestion, Question},
};

/// Longest request of a gateway, in bytes.
const LONGEST_REQUEST: usize = 16 << 20;
/// Longest reply of a model, in bytes.
const LONGEST_REPLY: usize = 256 << 10;

/// How much the model is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) patience: Duration,
    pub(crate) per_minute: u32,
    pub(crate) per_day: u32,
    pub(crate) remembered: Duration,
}

/// Answers gateways.
pub(crate) struct Service {
    model: Model,
    patience: Duration,
    client: rampart_egress::Client,
    cache: Mutex<Cache>,
    budget: Mutex<Budget>,
}

impl Service {
    pub(crate) fn new(model: Model, limits: Limits, client: rampart_egress::Client) -> Self {
        let cache = Mutex::new(Cache::new(limits.remembered));
        let budget = Mutex::new(Budget::new(limits.per_minute, limits.per_day));
        Self { model, patience: limits.patience, client, cache, budget }
    }

    /// The answer to a question. Whatever goes wrong, nothing is allowed by that.
    async fn answer(&self, question: Question) -> Answer {
        if let Some(known) = lock(&self.cache).get(&question.fingerprint, Instant::now()) {
            return known.clone();
        }
        if !lock(&self.budget).spend(Instant::now()) {
            return unsure("the budget for questions to the model is used up");
        }
        match timeout(self.patience, self.ask(&question)).await {
            Ok(Ok(answer)) => {
                lock(&self.cache).put(question.fingerprint, answer.clone(), Instant::now());
                answer
            }
            Ok(Err(why)) => unsure(&format!("the model gave no usable answer: {why}")),
            Err(_) => unsure(&format!("the model took longer than {} ms", self.patience.as_millis())),
        }
    }

    async fn ask(&self, question: &Question) -> Result<Answer, String> {
        let mut mark = [0; 16];
        getrandom::fill(&mut mark).map_err(|e| format!("no random numbers: {e}"))?;
        let request = self.model.request(question, &format!("----{}----", hex::encode(mark)));
        let reply = self.client.clone().oneshot(request.map(Full::new)).await.map_err(|e| e.to_string())?;
        if !reply.status().is_success() {
            // Its text may quote the key.
            return Err(format!("status {}", reply.status()));
        }
        let (mut incoming, mut body) = (reply.into_body(), BytesMut::new());
        while let Some(frame) = incoming.frame().await {
            let Ok(data) = frame.map_err(|e| format!("its reply broke off: {e}"))?.into_data() else { continue };
            if body.len() + data.len() > LONGEST_REPLY {
                return Err(format!("its reply is longer than {} KiB", LONGEST_REPLY / 1024));
            }
            body.extend_from_slice(&data);
        }
        self.model.understand(&body)
    }
}

fn unsure(why: &str) -> Answer {
    Answer { decision: Decision::Ask, message: why.to_owned() }
}

/// The routes.
pub(crate) fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/verify", post(verify))
        .route("/healthz", get(|| async { "ok\n" }))
        .layer(DefaultBodyLimit::max(LONGEST_REQUEST))
        .with_state(service)
}

/// JSON only: a form on a page in somebody's browser cannot send that to this port without asking first.
async fn verify(State(service): State<Arc<Service>>, headers: HeaderMap, body: Bytes) -> Response {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind != "application/json" {
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, "send JSON, as a gateway does\n").into_response();
    }
    match Question::read(&body) {
        Ok(question) => Json(service.answer(question).await).into_response(),
        Err(NoQuestion::TooLong) => Json(unsure("it is too long for the model to see all of it")).into_response(),
        Err(NoQuestion::Malformed(why)) => (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
