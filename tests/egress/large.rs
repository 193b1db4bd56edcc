//! What is large passes and does not stay.

use std::time::Duration;

use super::{POLICY, Road};
use crate::world::memory;

const GIGABYTE: usize = 1 << 30;
/// The goal for the gateway, in kilobytes.
const MAY_GROW: u64 = 40 * 1024;

#[test]
fn a_gigabyte_passes_both_ways_in_memory_that_stays_flat() {
    let Some(mut road) =
        Road::with("a_gigabyte_passes_both_ways_in_memory_that_stays_flat", POLICY, "surfaces: {deadline: 20s}\n")
    else {
        return;
    };
    let pid = road.world.gateway().id();
    let url = road.url("origin.test", "/zeros/1000000");
    road.shell(&format!("curl -sS -o /dev/null {url}")).expect(0);
    let before = memory(pid).0;
    let down = format!(
        "curl -sS -o /dev/null -w '%{{size_download}}' {}",
        road.url("origin.test", &format!("/zeros/{GIGABYTE}"))
    );
    let up = format!(
        "truncate -s {GIGABYTE} zeros; curl -sS -H 'Content-Type: application/octet-stream' -T zeros -X POST {}",
        road.url("origin.test", "/post")
    );
    for (what, script, said) in [("down", down, GIGABYTE.to_string()), ("up", up, format!("{GIGABYTE} bytes"))] {
        let (most, ran) = std::thread::scope(|scope| {
            let running = scope.spawn(|| road.shell(&script));
            let mut most = 0;
            while !running.is_finished() {
                most = most.max(memory(pid).0);
                std::thread::sleep(Duration::from_millis(20));
            }
            (most, running.join().unwrap())
        });
        assert_eq!(ran.stdout, said, "{what}: {ran:?}");
        assert!(most < before + MAY_GROW, "{what}: {before} kB grew to {most} kB");
    }
}
