//! Programs that bring their own TLS and are told whom to trust by the environment alone: cargo, a static client in Rust, one
//! in Go.

use super::{POLICY, Road};
use crate::world::{clients, have};

/// Makes an index of one crate and one wheel in the origin's folder `$1`, which is served at `$2`.
const MAKE: &str = r#"set -e; cd "$1"
mkdir -p index/ti/ny crates/tinything-1.0.0/src simple/tinything
printf '{"dl":"%s/crates/{crate}-{version}.crate"}' "$2" > index/config.json
printf '[package]\nname = "tinything"\nversion = "1.0.0"\nedition = "2021"\n' > crates/tinything-1.0.0/Cargo.toml
echo 'pub const WORD: u8 = 42;' > crates/tinything-1.0.0/src/lib.rs
tar czf crates/tinything-1.0.0.crate -C crates tinything-1.0.0
sum=$(sha256sum crates/tinything-1.0.0.crate | cut -d' ' -f1)
printf '{"name":"tinything","vers":"1.0.0","deps":[],"cksum":"%s","features":{},"yanked":false}\n' "$sum" > index/ti/ny/tinything
python3 - <<'P'
import zipfile
z = zipfile.ZipFile('simple/tinything/tinything-1.0-py3-none-any.whl', 'w')
z.writestr('tinything.py', 'word = 42\n')
z.writestr('tinything-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\nName: tinything\nVersion: 1.0\n')
z.writestr('tinything-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
z.writestr('tinything-1.0.dist-info/RECORD', '')
P
echo '<a href="tinything-1.0-py3-none-any.whl">tinything-1.0-py3-none-any.whl</a>' > simple/tinything/index.html
echo '{"word": 42}' > word.json
"#;

fn made(road: &Road) -> String {
    let base = road.url("origin.test", "");
    let web = road.world.path("origin/web");
    let make = road.world.command("sh").args(["-c", MAKE, "sh", &web.display().to_string(), &base]).status();
    assert!(make.unwrap().success());
    base
}

#[test]
fn cargo_fetches_from_a_registry_behind_it() {
    let Some(road) = Road::with("cargo_fetches_from_a_registry_behind_it", POLICY, "") else { return };
    let base = made(&road);
    road.world.write(
        "project/Cargo.toml",
        "[package]\nname = \"uses\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[dependencies]\ntinything = { version = \"1\", registry = \"near\" }\n",
    );
    road.world.write("project/src/lib.rs", "pub use tinything::WORD;\n");
    road.world.write("project/.cargo/config.toml", format!("[registries.near]\nindex = \"sparse+{base}/index/\"\n"));
    // The programs of the toolchain that builds us: a home without rustup has no others.
    let cargo = std::path::Path::new(env!("CARGO"));
    let rustc = cargo.with_file_name("rustc");
    road.shell(&format!("RUSTC={} CARGO_HOME=$HOME/cargo {} fetch -q", rustc.display(), cargo.display())).expect(0);
    let fetched = road.world.decisions();
    assert!(fetched.iter().any(|d| d.to_string().contains("tinything-1.0.0.crate")), "{fetched:#?}");
}

#[test]
fn a_static_client_in_rust_installs_from_a_registry_behind_it() {
    let Some(clients) = clients("a_static_client_in_rust_installs_from_a_registry_behind_it") else { return };
    let Some(road) = Road::with("a_static_client_in_rust_installs_from_a_registry_behind_it", POLICY, "") else {
        return;
    };
    let base = made(&road);
    let (uv, python) = (clients.join("python/bin/uv"), clients.join("python/bin/python"));
    road.shell(&format!(
        "{} pip install -q --no-cache --python {} --target there --index-url {base}/simple/ tinything && grep -q 42 there/tinything.py",
        uv.display(),
        python.display()
    ))
    .expect(0);
    assert!(road.world.decisions().iter().any(|d| d.to_string().contains("tinything-1.0-py3-none-any.whl")));
}

#[test]
fn a_client_in_go_goes_through() {
    if !have("a_client_in_go_goes_through", &["rclone"]) {
        return;
    }
    let Some(road) = Road::open("a_client_in_go_goes_through") else { return };
    let base = made(&road);
    road.shell(&format!("rclone copyurl {base}/word.json word.json && grep -q 42 word.json")).expect(0);
    assert!(road.world.decisions().iter().any(|d| d.to_string().contains("word.json")));
    let denied = road.shell(&format!("rclone --retries 1 copyurl {} x", road.url("denied.test", "/word.json")));
    assert!(denied.code != Some(0) && denied.stderr.contains("403"), "{denied:?}");
}
