//! `GET /v1/audit/...`: records of the audit trail looked up, exported, counted and verified. What is looked for is said
//! alike everywhere: `type`, `decision`, `tool`, `agent`, `session`, `rule`, `host`, `path`, `text`, `since`, `until`.

mod wanted;

use std::{
    io::{self, BufWriter, Write},
    sync::{Arc, LazyLock},
};

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{Query, State, rejection::QueryRejection},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use http::{StatusCode, header};
use rampart_gateway::{
    Lookup,
    audit::{
        destinations::{Destination, Destinations},
        export::{Format, export as write_records},
        read::{Record, forward},
        stats::{Counter, Stats},
        verify::{Options, Report, verify as check},
    },
};
use tokio::sync::{Semaphore, mpsc};

use self::wanted::Wanted;
use crate::{Api, error::Error};

/// Most records of one answer.
const MOST: usize = 1000;
/// Bytes of an export that are sent at a time, and how many such pieces may wait for a slow reader.
const PIECE: usize = 64 * 1024;
const PIECES: usize = 4;
/// Most names that statistics list of one kind.
const MOST_NAMES: usize = 1000;

/// Reading a whole trail takes a processor and a disk for a while: one at a time does.
static WHOLE: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(1)));

type Pairs = Result<Query<Vec<(String, String)>>, QueryRejection>;

fn wanted(pairs: Pairs, also: &[&str]) -> Result<Wanted, Error> {
    let Query(pairs) = pairs.map_err(|e| Error::malformed(e.body_text()))?;
    Wanted::read(pairs, also)
}

fn unreadable(e: impl std::fmt::Display) -> Error {
    let text = format!("the audit trail cannot be read: {e}");
    Error::new(StatusCode::INTERNAL_SERVER_ERROR, "audit_unreadable", text)
}

/// Runs something that reads the whole trail, unless somebody else does already.
pub(super) async fn whole<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let busy = || {
        let text = "somebody has the whole trail read right now; ask again when that is done";
        Error::new(StatusCode::TOO_MANY_REQUESTS, "busy", text)
    };
    let place = Arc::clone(&WHOLE).try_acquire_owned().map_err(|_| busy())?;
    let done = tokio::task::spawn_blocking(move || {
        let _place = place;
        work()
    });
    done.await.map_err(unreadable)?.map_err(unreadable)
}

/// Answers with the lines as they stand in the trail, so that every byte a hash covers can be seen. `after` and `before`
/// are numbers of records; with `after` the oldest come first, without it the newest. `more` tells whether there are
/// others beyond the last.
pub(super) async fn events(State(api): State<Arc<Api>>, pairs: Pairs) -> Result<Response, Error> {
    let mut wanted = wanted(pairs, &["after", "before", "limit"])?;
    let limit = wanted.number("limit")?.unwrap_or(100).min(MOST);
    let (after, before) = (wanted.number("after")?, wanted.number("before")?);
    let lookup = Lookup { filter: wanted.filter, after, before, limit: limit + 1 };
    let records = tokio::task::spawn_blocking(move || api.gateway().records(&lookup)).await;
    let records = records.map_err(unreadable)?.map_err(unreadable)?;
    let lines: Vec<&str> = records.iter().take(limit).map(|record| record.line.as_str()).collect();
    let body = format!("{{\"events\":[{}],\"more\":{}}}", lines.join(","), records.len() > limit);
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// Everything that is wanted, oldest first, as it is read: `format` is `jsonl`, `json`, `csv` or `cef`.
pub(super) async fn export(State(api): State<Arc<Api>>, pairs: Pairs) -> Result<Response, Error> {
    let mut wanted = wanted(pairs, &["format"])?;
    let format = match wanted.take("format") {
        None => Format::Jsonl,
        Some(word) => Format::ALL
            .into_iter()
            .find(|format| format.as_str() == word)
            .ok_or_else(|| Error::malformed(format!("`format` is jsonl, json, csv or cef, not `{word}`")))?,
    };
    let (pieces, coming) = mpsc::channel(PIECES);
    let dir = api.gateway().home().audit();
    tokio::task::spawn_blocking(move || {
        let sieve = wanted.filter.sieve();
        let records = forward(&dir, 0).filter(|r| r.as_ref().map_or(true, |record| sieve.admits(record)));
        let mut out = BufWriter::with_capacity(PIECE, Pieces(pieces.clone()));
        if let Err(e) = write_records(records, format, &mut out) {
            // whoever reads sees a body that breaks off, and no end
            let _ = pieces.blocking_send(Err(e));
        }
    });
    let body = Body::from_stream(stream::unfold(coming, async |mut coming: mpsc::Receiver<io::Result<Bytes>>| {
        coming.recv().await.map(|piece| (piece, coming))
    }));
    let name = format!("attachment; filename=\"rampart-audit.{}\"", format.as_str());
    let headers = [(header::CONTENT_TYPE, format.media_type()), (header::CONTENT_DISPOSITION, name.as_str())];
    Ok((headers, body).into_response())
}

/// What is written to it goes to whoever reads the answer.
struct Pieces(mpsc::Sender<io::Result<Bytes>>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        sent.map(|()| bytes.len()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What is wanted in numbers; `top` names of each kind.
pub(super) async fn stats(State(api): State<Arc<Api>>, pairs: Pairs) -> Result<Json<Stats>, Error> {
    Ok(Json(counted(&api, pairs, 10, Counter::add, Counter::finish).await?))
}

/// The hosts that calls would reach, those most called first; `top` of them.
pub(super) async fn destinations(State(api): State<Arc<Api>>, pairs: Pairs) -> Result<Json<Vec<Destination>>, Error> {
    Ok(Json(counted(&api, pairs, 100, Destinations::add, Destinations::finish).await?))
}

/// Counts the records that are wanted, and gives as many names as are wanted, `usual` unless that is said.
async fn counted<C: Default, T: Send + 'static>(
    api: &Api,
    pairs: Pairs,
    usual: usize,
    add: impl Fn(&mut C, &Record) + Send + 'static,
    finish: impl FnOnce(C, usize) -> T + Send + 'static,
) -> Result<T, Error> {
    let mut wanted = wanted(pairs, &["top"])?;
    let top = wanted.number("top")?.unwrap_or(usual).min(MOST_NAMES);
    let dir = api.gateway().home().audit();
    whole(move || {
        let sieve = wanted.filter.sieve();
        let mut counter = C::default();
        for record in forward(&dir, 0) {
            let record = record?;
            if sieve.admits(&record) {
                add(&mut counter, &record);
            }
        }
        Ok(finish(counter, top))
    })
    .await
}

/// Checks the trail as `rampart audit verify` does, against `expect_head` if that is given.
pub(super) async fn verify(State(api): State<Arc<Api>>, pairs: Pairs) -> Result<Json<Report>, Error> {
    let mut wanted = Wanted::only(pairs, &["expect_head"])?;
    let options = Options { expect_head: wanted.take("expect_head"), ..Options::default() };
    let dir = api.gateway().home().audit();
    Ok(Json(whole(move || check(&dir, &options, |_| {})).await?))
}
