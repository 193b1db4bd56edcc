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
