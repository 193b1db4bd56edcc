//! `rampart upgrade` from a release server with TLS, and from a folder.

use std::{
    io::ErrorKind,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::world::{Ran, World, bin, have};

/// A folder of releases, signed with a key of the test's own, and an installed program.
struct Releases {
    world: World,
    key: SigningKey,
    target: String,
}

impl Releases {
    fn new() -> Self {
        let world = World::new();
        let target = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
        std::fs::create_dir_all(world.path("bin")).unwrap();
        std::fs::copy(bin("rampart"), world.path("bin/rampart")).unwrap();
        let releases = Self { world, key: SigningKey::from_bytes(&[7; 32]), target };
        releases.from(&releases.world.path("releases").display().to_string(), "");
        releases
    }

    /// Says where releases come from.
    fn from(&self, place: &str, egress: &str) {
        let key = hex::encode(self.key.verifying_key().to_bytes());
        self.world.config(&format!(
            "listen: 127.0.0.1:0\negress: {{listen: '127.0.0.1:0'{egress}}}\nupgrade: {{from: '{place}', key: 'ed25519:{key}'}}\n"
        ));
    }

    /// A release whose program is this script.
    fn publish(&self, version: &str, serial: u64, program: &str) {
        self.publish_with(version, serial, program, &[]);
    }

    /// The same with further programs.
    fn publish_with(&self, version: &str, serial: u64, program: &str, others: &[(&str, &str)]) {
        let mut files = Vec::new();
        for (name, text) in [("rampart", program)].iter().chain(others) {
            files.push(json!({"name": name, "sha256": hex::encode(Sha256::digest(text))}));
            self.world.write(&format!("releases/{}/{name}", self.target), text);
        }
        let manifest = json!({"version": version, "target": self.target, "serial": serial, "files": files});
        self.sign(&manifest.to_string(), &self.key);
    }

    /// What lies in the folder of the installed program.
    fn programs(&self) -> Vec<String> {
        let folder = std::fs::read_dir(self.world.path("bin")).unwrap();
        let mut names: Vec<_> = folder.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn sign(&self, manifest: &str, key: &SigningKey) {
        let signature = hex::encode(key.sign(manifest.as_bytes()).to_bytes());
        self.world.write(&format!("releases/{}.json", self.target), manifest);
        self.world.write(&format!("releases/{}.json.sig", self.target), signature);
    }

    fn installed(&self) -> PathBuf {
        self.world.path("bin/rampart")
    }

    fn upgrade(&self, args: &[&str]) -> Ran {
        let mut command = self.world.command(self.installed());
        ended(command.arg("upgrade").args(args))
    }

    fn version(&self) -> String {
        ended(self.world.command(self.installed()).arg("--version")).stdout.trim().to_owned()
    }

    /// Fails unless the upgrade is refused with these words and nothing has changed.
    #[track_caller]
    fn refused(&self, args: &[&str], words: &str) {
        let before = self.version();
        let ran = self.upgrade(args).expect(2);
        assert!(ran.stderr.contains(words), "`{words}`: {ran:?}");
        assert_eq!(self.version(), before);
        assert_eq!(self.programs(), ["rampart"], "nothing is left lying about");
    }
}

/// Runs a program that was written just now: what another test starts at that moment holds it open for writing until it is
/// another program (`ETXTBSY`).
fn ended(command: &mut Command) -> Ran {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        match command.output() {
            Err(error) if error.kind() == ErrorKind::ExecutableFileBusy && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(10));
            }
            output => return Ran::from(output.unwrap()),
        }
    }
}

fn says(version: &str) -> String {
    format!("#!/bin/sh\necho 'rampart {version}'\n")
}

#[test]
fn what_is_not_signed_not_whole_not_newer_or_does_not_run_changes_nothing() {
    let releases = Releases::new();
    let newer = says("99.0.0");
    releases.publish("99.0.0", 2, &newer);
    let manifest = releases.world.path(&format!("releases/{}.json", releases.target));
    let good = std::fs::read_to_string(&manifest).unwrap();

    releases.sign(&good, &SigningKey::from_bytes(&[8; 32]));
    releases.refused(&[], "was not signed with the key");
    releases.publish("99.0.0", 2, &newer);
    std::fs::write(&manifest, good.replace("99.0.0", "99.0.1")).unwrap();
    releases.refused(&[], "was not signed with the key");
    releases.sign(&good.replace(&releases.target, "pdp11-unix"), &releases.key);
    releases.refused(&[], "pdp11-unix");
    releases.sign(&good.replace("\"rampart\"", "\"../rampart\""), &releases.key);
    releases.refused(&[], "does not begin with `rampart`");
    releases.publish("99.0.0", 2, &newer);
    releases.world.write(&format!("releases/{}/rampart", releases.target), says("66.6.6"));
    releases.refused(&[], "SHA-256");
    for broken in ["#!/bin/sh\nexit 1\n", "no program\n", &says("98.0.0")] {
        releases.publish("99.0.0", 2, broken);
        releases.refused(&[], "nothing was changed");
    }
    releases.publish("0.0.1", 3, &says("0.0.1"));
    releases.refused(&[], "--force");
    releases.world.write("home/.rampart/state/release-serial", "5");
    releases.publish("99.0.0", 4, &newer);
    releases.refused(&[], "is older than what was here");
}

#[test]
fn a_newer_release_takes_the_place_of_this_program_and_an_older_one_only_by_force() {
    let releases = Releases::new();
    releases.publish("99.0.0", 2, &says("99.0.0"));
    let ran = releases.upgrade(&[]).expect(0);
    assert!(ran.stderr.contains("99.0.0"), "{ran:?}");
    assert_eq!(releases.version(), "rampart 99.0.0");
    std::fs::copy(bin("rampart"), releases.installed()).unwrap();
    releases.publish("0.0.1", 1, &says("0.0.1"));
    releases.refused(&[], "--force");
    releases.upgrade(&["--force"]).expect(0);
    assert_eq!(releases.version(), "rampart 0.0.1");
}

/// Ended when the test is.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The folder of releases on a web server, and the file with the root of its certificate.
fn serve(releases: &Releases) -> (Server, String, PathBuf) {
    let key = rcgen::generate_simple_self_signed(vec!["releases.test".to_owned()]).unwrap();
    let pem = format!("{}{}", key.signing_key.serialize_pem(), key.cert.pem());
    let pem = releases.world.write("server.pem", pem);
    let roots = releases.world.write("roots.pem", key.cert.pem());
    let script = "import http.server,ssl,sys,functools\nh=functools.partial(http.server.SimpleHTTPRequestHandler,directory=sys.argv[2])\ns=http.server.ThreadingHTTPServer(('127.0.0.1',0),h)\nc=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c.load_cert_chain(sys.argv[1])\ns.socket=c.wrap_socket(s.socket,server_side=True)\nprint(s.server_port,flush=True)\ns.serve_forever()";
    let mut python = releases.world.command("python3");
    python.args(["-c", script]).arg(&pem).arg(releases.world.path("releases"));
    let mut child = python.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut port = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut port).unwrap();
    (Server(child), port.trim().to_owned(), roots)
}

#[test]
fn a_release_comes_over_tls_from_a_server_whose_certificate_holds() {
    if !have("a_release_comes_over_tls_from_a_server_whose_certificate_holds", &["python3"]) {
        return;
    }
    let releases = Releases::new();
    releases.publish("99.0.0", 2, &says("99.0.0"));
    let (_server, port, roots) = serve(&releases);
    let place = format!("https://releases.test:{port}");
    let resolve = format!(", resolve: ['releases.test:{port}:127.0.0.1']");
    releases.from(&place, &resolve);
    releases.refused(&[], "cannot get https://releases.test");
    releases.from(&place, &format!("{resolve}, upstream_ca: ['{}']", roots.display()));
    releases.upgrade(&[]).expect(0);
    assert_eq!(releases.version(), "rampart 99.0.0");
}

#[test]
fn a_release_that_does_not_start_in_its_place_is_taken_back_whole() {
    if !have("a_release_that_does_not_start_in_its_place_is_taken_back_whole", &["python3"]) {
        return;
    }
    let releases = Releases::new();
    let (_server, port, roots) = serve(&releases);
    let egress = format!(", resolve: ['releases.test:{port}:127.0.0.1'], upstream_ca: ['{}']", roots.display());
    releases.from(&format!("https://releases.test:{port}"), &egress);
    // It tells its version wherever it is tried, and starts nowhere under its own name.
    let program = "#!/bin/sh\ncase \"$0\" in */rampart) exit 3;; *) echo 'rampart 99.0.0';; esac\n";
    let shim = "#!/bin/sh\nexit 0\n";
    releases.publish_with("99.0.0", 2, program, &[("rampart-shim", shim)]);
    let before = std::fs::read(releases.installed()).unwrap();
    let serial = || std::fs::read_to_string(releases.world.home().join("state/release-serial")).ok();
    let taken_back = |left: &[&str], words: &str| {
        let ran = releases.upgrade(&[]).expect(2);
        assert!(ran.stderr.contains("the old programs are back in place") && ran.stderr.contains(words), "{ran:?}");
        assert!(std::fs::read(releases.installed()).unwrap() == before, "it is the old program, byte for byte");
        assert_eq!(releases.programs(), left, "nothing is left lying about");
        assert_eq!(serial(), None);
    };
    // Where there was no shim there is none, and where there was one it is that.
    taken_back(&["rampart"], "the new program says");
    let old_shim = releases.world.write("bin/rampart-shim", "#!/bin/sh\nexit 1\n");
    taken_back(&["rampart", "rampart-shim"], "the new program says");
    assert_eq!(std::fs::read_to_string(&old_shim).unwrap(), "#!/bin/sh\nexit 1\n");
    // A second program whose place is taken: the first, which stood there already, goes again.
    std::fs::remove_file(&old_shim).unwrap();
    std::fs::create_dir(&old_shim).unwrap();
    releases.publish_with("99.0.0", 2, &says("99.0.0"), &[("rampart-shim", shim)]);
    taken_back(&["rampart", "rampart-shim"], "cannot replace");
    // A good one comes through after all that.
    std::fs::remove_dir(&old_shim).unwrap();
    releases.upgrade(&[]).expect(0);
    assert_eq!((releases.version().as_str(), serial().as_deref()), ("rampart 99.0.0", Some("2")));
    assert_eq!(releases.programs(), ["rampart", "rampart-shim"]);
}

#[test]
fn without_a_place_it_says_so_and_profiles_are_refreshed_unless_edited() {
    let world = World::new();
    let ran = world.run(&["upgrade"]).expect(2);
    assert!(ran.stderr.contains("upgrade: {from:") && ran.stderr.contains("--no-binary"), "{ran:?}");
    world.run(&["init"]).expect(0);
    let path = world.home().join("policies/standard.yaml");
    let fresh = std::fs::read_to_string(&path).unwrap();
    // As an older program wrote it.
    let body = "version: \"1\"\npolicies: []\n";
    let old = format!(
        "# Written by rampart 0.0.1 sha256:{}; put rules of your own into custom.yaml\n{body}",
        hex::encode(Sha256::digest(body))
    );
    std::fs::write(&path, &old).unwrap();
    world.run(&["upgrade", "--no-binary"]).expect(0);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), fresh);
    std::fs::write(&path, format!("{old}# mine\n")).unwrap();
    let ran = world.run(&["upgrade", "--no-binary"]).expect(0);
    assert!(ran.stderr.contains("was edited"), "{ran:?}");
    assert!(std::fs::read_to_string(&path).unwrap().ends_with("# mine\n"));
}
