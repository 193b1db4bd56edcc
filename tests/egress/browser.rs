//! A browser, which trusts what `rampart ca install` gave its store.

use super::{POLICY, Road};
use crate::world::have;

#[test]
fn a_browser_shows_the_page_and_the_refusal() {
    let test = "a_browser_shows_the_page_and_the_refusal";
    if !have(test, &["chromium", "certutil"]) {
        return;
    }
    let Some(road) = Road::with(test, POLICY, "") else { return };
    road.world.write(
        "origin/web/page.html",
        "<!doctype html><title>page</title><p id=p>not yet</p><script>
fetch('/1k').then(r => r.text()).then(text => { p.textContent = 'came: ' + text.length; });</script>",
    );
    // Made by whoever starts the browser first; the authority is added to it.
    road.shell("mkdir -p $HOME/.pki/nssdb && certutil -N -d sql:$HOME/.pki/nssdb --empty-password").expect(0);
    let egress = road.world.status()["egress"].as_str().unwrap().to_owned();
    let authority = road.world.home().join("ca/ca.pem");
    road.shell(&format!("certutil -A -d sql:$HOME/.pki/nssdb -n rampart -t C,, -i {}", authority.display())).expect(0);
    let show = |url: &str| {
        road.shell(&format!(
            "timeout 60 chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync \
             --disable-background-networking --disable-component-update --user-data-dir=$HOME/chromium \
             --proxy-server=http://{egress} --virtual-time-budget=5000 --dump-dom {url} 2>/dev/null"
        ))
    };
    let page = show(&road.url("origin.test", "/page.html")).expect(0);
    assert!(page.stdout.contains("came: 1024"), "{page:?}");
    let refused = show(&road.url("denied.test", "/page.html")).expect(0);
    assert!(refused.stdout.contains("no-denied-test"), "{refused:?}");
}
