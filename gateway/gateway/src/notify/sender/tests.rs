use std::{convert::Infallible, future::pending};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use rampart_call::{Judgement, Reason};
use serde_json::Value;
use tower::{BoxError, service_fn};

use super::*;
use crate::{audit::Settings, notify::event::tests::event, outside::Body};

/// A trail to tell losses to, and the notices under test.
struct World {
    dir: tempfile::TempDir,
    notices: Notices,
}

impl World {
    fn new(http: Http, urls: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let trail = Trail::open(&dir.path().join("audit"), Settings::default()).unwrap();
        let targets = urls.iter().map(|url| Target::new(url, vec![Outcome::Deny]).unwrap()).collect();
        Self { dir, notices: Notices::new(Some(http), trail, targets, Counter::default()) }
    }

    fn denies(&self) {
        let judgement = Judgement::refused(Reason::Rule, "no");
        let answer = Answer { verdict: Outcome::Deny, judgement, seq: Some(7) };
        self.notices.tell(&[], &answer, || event(Outcome::Deny, None));
    }

    /// The `gap` records: how many, and why.
    fn gaps(&self) -> Vec<(u64, String)> {
        let records = crate::audit::read::forward(&self.dir.path().join("audit"), 0).map(|record| record.unwrap().line);
        let records = records.map(|line| serde_json::from_str::<Value>(&line).unwrap());
        let gaps = records.filter(|record| record["type"] == "gap");
        gaps.map(|gap| (gap["dropped"].as_u64().unwrap(), gap["cause"].as_str().unwrap().to_owned())).collect()
    }
}

fn reply(status: u16, body: impl Into<Bytes>) -> Response<Body> {
    let body = Full::new(body.into()).map_err(|e: Infallible| -> BoxError { match e {} });
    Response::builder().status(status).body(body.boxed_unsync()).unwrap()
}

/// A peer that answers its first requests with these, and all further ones with 200; and how many it got.
fn peer(first: &'static [(u16, Option<&'static str>)]) -> (Http, Arc<AtomicU64>) {
    let got = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&got);
    let http = Http::new(service_fn(move |_: Request<Full<Bytes>>| {
        let n = count.fetch_add(1, Ordering::Relaxed);
        async move {
            let (status, retry_after) = first.get(n as usize).copied().unwrap_or((200, None));
            let mut response = reply(status, "");
            if let Some(seconds) = retry_after {
                response.headers_mut().insert("retry-after", seconds.parse().unwrap());
            }
            Ok(response)
        }
    }));
    (http, got)
}

const URL: &str = "http://one.example/";

#[tokio::test(start_paused = true)]
async fn what_may_pass_is_tried_again_and_what_is_refused_is_not() {
    for (first, requests, lost) in [
        (&[][..], 1, 0),
        (&[(500, None), (503, None), (429, None)][..], 4, 0),
        (&[(429, Some("20"))][..], 2, 0),
        (&[(429, Some("3600"))][..], 1, 1),
        (&[(302, None)][..], 1, 1),
        (&[(404, None)][..], 1, 1),
        (&[(500, None); 100][..], 6, 1),
    ] {
        let (http, got) = peer(first);
        let world = World::new(http, &[URL]);
        world.denies();
        // Its end waits for what is underway, and here an hour takes no time.
        sleep(Duration::from_mins(1)).await;
        world.notices.close().await;
        let got = got.load(Ordering::Relaxed);
        assert!(got.abs_diff(requests) <= u64::from(requests > 5), "{first:?}: {got}");
        assert_eq!(world.gaps().iter().map(|gap| gap.0).sum::<u64>(), lost, "{first:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_hangs_delays_no_other_and_a_storm_is_bounded_and_counted() {
    const STORM: u64 = 10_000;
    let got = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&got);
    let http = Http::new(service_fn(move |request: Request<Full<Bytes>>| {
        let count = Arc::clone(&count);
        async move {
            if request.uri().host() == Some("hangs.example") {
                return pending().await;
            }
            count.fetch_add(1, Ordering::Relaxed);
            Ok(reply(200, ""))
        }
    }));
    let world = World::new(http, &["http://hangs.example/", URL]);
    for n in 0..STORM {
        world.denies();
        if n % 100 == 99 {
            tokio::task::yield_now().await;
        }
    }
    sleep(Duration::from_secs(5)).await;
    let gaps: u64 = world.gaps().iter().map(|gap| gap.0).sum();
    assert_eq!(got.load(Ordering::Relaxed) + gaps, STORM, "the one that answers got what it was not too slow for");
    world.notices.close().await;
    let hanging: u64 = world.gaps().iter().filter(|gap| gap.1.contains("hangs.example")).map(|gap| gap.0).sum();
    assert_eq!(hanging, STORM, "every loss is on record");
    assert!(world.gaps().len() < 20, "in few records");
}

#[tokio::test(start_paused = true)]
async fn an_endless_answer_is_not_read() {
    let http = Http::new(service_fn(|_: Request<Full<Bytes>>| async { Ok(reply(200, vec![b'x'; 65 * 1024])) }));
    let world = World::new(http, &[URL]);
    world.denies();
    sleep(Duration::from_mins(1)).await;
    world.notices.close().await;
    assert_eq!(world.gaps(), [(1, "webhook at one.example: its answer is longer than 64 KiB".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn only_those_are_told_who_want_to_hear() {
    let (http, got) = peer(&[]);
    let world = World::new(http, &[]);
    let notify = |url: &str, on| Notify { url: url.to_owned(), on: vec![on] };
    let also = [notify(URL, Outcome::Ask), notify("not a url", Outcome::Deny), notify(URL, Outcome::Deny)];
    let answer = |verdict| {
        let judgement = Judgement { outcome: verdict, ..Judgement::refused(Reason::Rule, "no") };
        Answer { verdict, judgement, seq: None }
    };
    for verdict in [Outcome::Allow, Outcome::Watch, Outcome::Deny, Outcome::Ask] {
        world.notices.tell(&also, &answer(verdict), || event(verdict, None));
    }
    sleep(Duration::from_secs(1)).await;
    world.notices.close().await;
    assert_eq!(got.load(Ordering::Relaxed), 2);
}
