use rampart_call::Gate;

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_are_streamed_as_they_are_made() {
    let world = World::new().await;
    let mut events = world.blocking(|client| client.events(None).unwrap()).await;
    world.client().judge(read("/forbidden/one")).await;
    let event = tokio::task::spawn_blocking(move || {
        events.find(|event| event.as_ref().unwrap().data.contains("/forbidden")).unwrap().unwrap()
    })
    .await
    .unwrap();
    let record: Value = serde_json::from_str(&event.data).unwrap();
    assert_eq!((event.id, record["type"].as_str()), (record["seq"].as_u64(), Some("decision")));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_ends_with_the_gateway() {
    let world = World::new().await;
    let mut events = world.blocking(|client| client.events(None).unwrap()).await;
    let reading = tokio::task::spawn_blocking(move || events.by_ref().count());
    world.stop.cancel();
    let ended = tokio::time::timeout(Duration::from_secs(5), reading).await;
    assert!(ended.is_ok(), "the reader is not left hanging");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_goes_on_where_it_was() {
    let world = World::new().await;
    let client = world.client();
    for n in 0..5 {
        client.judge(read(&format!("/tmp/{n}"))).await;
    }
    let newest = world.records().len() as u64;
    let mut events = world.blocking(move |client| client.events(Some(newest - 3)).unwrap()).await;
    client.judge(read("/tmp/last")).await;
    let seqs: Vec<u64> = tokio::task::spawn_blocking(move || {
        let ids = events.by_ref().map(|event| event.unwrap().id.unwrap());
        ids.take(4).collect()
    })
    .await
    .unwrap();
    assert_eq!(seqs, (newest - 2..=newest + 1).collect::<Vec<_>>(), "none twice, none missing");

    let mut bad = world.good("GET", "/v1/events/stream", "");
    bad.headers_mut().insert("last-event-id", "yesterday".parse().unwrap());
    assert_eq!(world.request(Peer::Tcp, bad).await.0, 400);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_are_looked_up() {
    let world = World::new().await;
    let client = world.client();
    for path in ["/tmp/one", "/forbidden/two", "/tmp/three"] {
        client.judge(read(path)).await;
    }
    let look = async |query: &str| {
        let path = format!("/v1/audit/events?{query}");
        let (status, answer) = world.request(Peer::Tcp, world.good("GET", &path, "")).await;
        assert_eq!(status, 200, "{answer}");
        answer["events"].as_array().unwrap().clone()
    };
    let newest = look("tool=read").await;
    assert_eq!(newest.len(), 3);
    assert!(newest[0]["seq"].as_u64() > newest[2]["seq"].as_u64(), "newest first");
    assert_eq!(look("decision=deny&agent=bot").await.len(), 1);
    assert_eq!(look("tool=read&limit=1").await.len(), 1);
    let first = newest[2]["seq"].as_u64().unwrap();
    let later = look(&format!("tool=read&after={first}")).await;
    assert_eq!(later.len(), 2);
    assert!(later[0]["seq"].as_u64() < later[1]["seq"].as_u64(), "oldest first");
    assert_eq!(look(&format!("tool=read&before={}", newest[0]["seq"])).await.len(), 2);
    assert_eq!(look("path=/tmp&since=1h&until=1h").await.len(), 0);
    assert_eq!(look("path=/tmp&since=1h").await.len(), 2);
    assert_eq!(look("rule=off-limits&text=OFF%20LIMITS&type=decision,result").await.len(), 1);
    for bad in ["decison=deny", "decision=maybe", "limit=x", "since=yesterday", "type=call", "tool=a&tool=b"] {
        let request = world.good("GET", &format!("/v1/audit/events?{bad}"), "");
        assert_eq!(world.request(Peer::Tcp, request).await.0, 400, "{bad}");
    }
    let ask = async |path: &str| world.request(Peer::Tcp, world.good("GET", path, "")).await;
    let (status, page) = ask("/v1/audit/events?tool=read&limit=2").await;
    assert_eq!((status.as_u16(), page["more"].as_bool()), (200, Some(true)));
    assert_eq!(ask("/v1/audit/events?tool=read").await.1["more"], false);
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_trail_is_exported_counted_and_verified() {
    let world = World::new().await;
    let client = world.client();
    for path in ["/tmp/one", "/forbidden/two", "/tmp/three"] {
        client.judge(read(path)).await;
    }
    let ask = async |path: &str| {
        let (status, answer) = world.request(Peer::Tcp, world.good("GET", path, "")).await;
        (status.as_u16(), answer)
    };
    let (status, all) = ask("/v1/audit/export?format=json&tool=read").await;
    assert_eq!((status, all.as_array().unwrap().len()), (200, 3));
    assert_eq!(all[0]["action"]["paths"][0]["path"], "/tmp/one", "oldest first");
    for format in ["jsonl", "csv", "cef"] {
        assert_eq!(ask(&format!("/v1/audit/export?format={format}")).await.0, 200, "{format}");
    }
    let (status, stats) = ask("/v1/audit/stats?tool=read&top=1").await;
    assert_eq!((status, &stats["outcomes"]["deny"], &stats["outcomes"]["allow"]), (200, &1.into(), &2.into()));
    assert_eq!(stats["agents"], serde_json::json!([{"name": "bot", "calls": 3, "denied": 1}]));
    let (status, report) = ask("/v1/audit/verify").await;
    assert_eq!((status, &report["ok"]), (200, &true.into()), "{report}");
    let wrong = format!("/v1/audit/verify?expect_head={}", "0".repeat(64));
    assert_eq!(ask(&wrong).await.1["ok"], false);
    for bad in ["export?format=xml", "export?limit=1", "stats?top=x", "verify?tool=exec"] {
        assert_eq!(ask(&format!("/v1/audit/{bad}")).await.0, 400, "{bad}");
    }
    world.end().await;
}
