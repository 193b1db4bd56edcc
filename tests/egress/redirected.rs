//! Connections that the kernel redirects to the proxy, in a network of their own.

use super::{POLICY, Road};
use crate::world::{bin, have, root};

/// Everything below runs where `lo` is the only interface and every address is local; what users other than root send by
/// TCP is redirected.
const SCRIPT: &str = r#"
set -e
ip link set lo up
ip route add local default dev lo
ip -6 route add local default dev lo
nft -f - <<N
table inet rampart {
  chain out { type nat hook output priority -100; policy accept;
    meta skuid 0 return
    meta l4proto tcp redirect to :15001
  }
}
N
mkdir -p "$1/ns/web"
python3 "$2/tests/clients/origin.py" "$1/ns" "$1/ns/web" > "$1/ns/port" &
origin=$!
trap 'kill $origin; "$3" serve stop 2>/dev/null' EXIT
while ! [ -s "$1/ns/port" ]; do sleep 0.05; done
port=$(cat "$1/ns/port")
cat > "$RAMPART_HOME/config.yaml" <<C
listen: 127.0.0.1:0
egress:
  listen: 127.0.0.1:0
  transparent: '[::]:15001'
  resolve: ['origin.test:443:127.0.0.1:$port', 'denied.test:443:127.0.0.1:$port']
  upstream_ca: ['$1/ns/origin-ca.pem']
C
"$3" serve --background
"$3" ca export > "$1/ns/ours.pem"
chmod -R go+rX "$1/ns"
as_user="setpriv --reuid 65534 --clear-groups"
for address in 203.0.113.7 2001:db8:2::9; do
  $as_user curl -sS --cacert /dev/stdin --connect-to "::[$address]" -o /dev/null -w '%{http_code} %{remote_ip} %{size_download}\n' \
    https://origin.test/1k < "$1/ns/ours.pem"
  $as_user curl -sS --cacert /dev/stdin --connect-to "::[$address]" -o /dev/null -w '%{http_code}\n' https://denied.test/ < "$1/ns/ours.pem"
done
$as_user curl -sS -o /dev/null -w '%{http_code}\n' http://169.254.169.254/latest/meta-data/
"#;

#[test]
fn what_the_kernel_redirects_is_intercepted() {
    let test = "what_the_kernel_redirects_is_intercepted";
    if !have(test, &["nft", "ip", "setpriv", "unshare", "curl", "python3", "openssl"]) {
        return;
    }
    if !std::process::Command::new("unshare").args(["-n", "true"]).status().is_ok_and(|s| s.success()) {
        eprintln!("{test}: skipped, a network of its own cannot be made here");
        return;
    }
    let Some(mut road) = Road::with(test, POLICY, "") else { return };
    road.world.run(&["serve", "stop"]).expect(0);
    road.world.gateway().wait().unwrap();
    let (folder, root, bin) = (road.world.path("."), root(), bin("rampart"));
    let mut unshare = road.world.command("unshare");
    unshare.args(["-n", "sh", "-c", SCRIPT, "sh"]).args([&folder, &root, &bin]);
    unshare.env("RAMPART_HOME", road.world.home());
    let ran = crate::world::Ran::from(unshare.output().unwrap());
    let lines: Vec<_> = ran.stdout.lines().collect();
    assert_eq!(lines, ["200 203.0.113.7 1024", "403", "200 2001:db8:2::9 1024", "403", "403"], "{ran:?}");
}
