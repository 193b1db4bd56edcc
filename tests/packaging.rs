//! `packaging/release`, and each thing that it makes used as somebody would who has nothing else.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::world::{Ran, World, bin, clients, have, root, skip};

const FROM: &str = "https://releases.example/rampart";

/// A release of the programs under test, signed with a key of the test's own.
struct Release {
    world: World,
}

impl Release {
    fn new(test: &str) -> Option<Self> {
        if !have(test, &["openssl", "strip", "git", "gzip", "dpkg-deb"]) {
            return None;
        }
        let release = Self { world: World::new() };
        release.sh("openssl genpkey -algorithm ed25519 -out key.pem && mkdir programs").expect(0);
        // What debuggers need makes most of their size.
        for program in ["rampart", "rampart-shim"] {
            release.sh(&format!("strip -o programs/{program} {}", bin(program).display())).expect(0);
        }
        release.make("release").expect(0);
        Some(release)
    }

    fn make(&self, into: &str) -> Ran {
        let script = root().join("packaging/release");
        self.sh(&format!(
            "RAMPART_RELEASE_LEVEL=1 {} --key key.pem --from {FROM} --out {into} --serial 7 --programs programs",
            script.display()
        ))
    }

    /// Runs a line of shell where the release is.
    fn sh(&self, line: &str) -> Ran {
        Ran::from(self.world.command("sh").current_dir(self.world.path(".")).args(["-c", line]).output().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.world.path("release").join(name)
    }

    /// The file of the release that ends so.
    fn file(&self, ending: &str) -> PathBuf {
        let files = fs::read_dir(self.path("")).unwrap().map(|entry| entry.unwrap().path());
        files.into_iter().find(|path| path.to_string_lossy().ends_with(ending)).unwrap()
    }
}

#[test]
fn a_release_is_the_same_whenever_it_is_made_and_each_way_to_install_it_believes_only_what_is_signed() {
    let test = "a_release_is_the_same_whenever_it_is_made_and_each_way_to_install_it_believes_only_what_is_signed";
    let Some(release) = Release::new(test) else { return };
    formula(test, &release);
    script(&release);
    upgrade(&release);
}

fn upgrade(release: &Release) {
    let made = release.make("again").expect(0);
    let compared = release.sh("diff -r release again");
    assert_eq!((compared.code, compared.stdout.as_str()), (Some(0), ""), "{compared:?}");

    let told = made.stdout;
    let key = told.rsplit("signed by ").next().unwrap().trim();
    let place = release.path("").display().to_string();
    release.world.config(&format!("upgrade: {{from: '{place}', key: '{key}'}}\n"));
    let installed = release.world.path("programs/rampart");
    let upgraded = release.world.command(&installed).args(["upgrade", "--force"]).output().unwrap();
    let upgraded = Ran::from(upgraded).expect(0);
    assert!(format!("{upgraded:?}").contains(env!("CARGO_PKG_VERSION")), "{upgraded:?}");
}

fn script(release: &Release) {
    let place = release.path("").display().to_string();
    let install = || release.sh(&format!("HOME=$PWD/somebody sh release/install.sh --from {place} --to $PWD/to"));
    let archive = release.file(".tar.gz");
    let (sums, signature) = (release.path("SHA256SUMS"), release.path("SHA256SUMS.sig"));
    let spoilt = |path: &Path, words: &str| {
        let whole = fs::read(path).unwrap();
        let mut other = whole.clone();
        let middle = other.len() / 2;
        other[middle] = if other[middle] == b'0' { b'1' } else { b'0' };
        fs::write(path, other).unwrap();
        let ran = install();
        assert_eq!(ran.code, Some(1), "{}: {ran:?}", path.display());
        assert!(ran.stderr.contains(words), "{}: {ran:?}", path.display());
        assert!(!release.world.path("to").exists(), "{} changed something", path.display());
        fs::write(path, whole).unwrap();
    };
    spoilt(&archive, "is not what was signed");
    spoilt(&sums, "is not that of Rampart's key");
    spoilt(&signature, "is not that of Rampart's key");

    let ran = install().expect(0);
    let to = release.world.path("to");
    assert!(ran.stdout.contains("next: rampart quickstart"), "{ran:?}");
    assert!(ran.stdout.contains(&format!("export PATH=\"{}/bin:$PATH\"", to.display())), "{ran:?}");
    for file in ["bin/rampart-shim", "share/bash-completion/completions/rampart", "share/doc/rampart/LICENSE"] {
        assert!(to.join(file).is_file(), "{file}");
    }
    // What it says comes next.
    let next = release.world.command(to.join("bin/rampart")).args(["quickstart", "--dry-run"]).output().unwrap();
    Ran::from(next).expect(0);
}

/// As much of Homebrew's language as the formula speaks, and a keg. It is run where the archive was unpacked, as Homebrew does,
/// which steps into the one folder of an archive.
const HOMEBREW: &str = r##"
require "fileutils"
class Keg
  def initialize(place) = @place = place
  def install(*files) = FileUtils.mkdir_p(@place) && files.flatten.each { |file| FileUtils.mv(file, @place) }
  def to_s = @place
end
class Formula
  class << self
    attr_reader :trial
    %i[desc homepage url sha256 license].each { |word| define_method(word) { |_| } }
    def version(text) = define_method(:version) { text }
    def test(&block) = @trial = block
  end
  FOLDERS = { bin: "bin", bash_completion: "etc/bash_completion.d", zsh_completion: "share/zsh/site-functions",
              fish_completion: "share/fish/vendor_completions.d", man1: "share/man/man1" }
  FOLDERS.each { |word, place| define_method(word) { Keg.new("#{KEG}/#{place}") } }
  def shell_output(line) = `#{line}`.tap { $?.success? or raise line }
  def assert_match(wanted, found) = found.include?(wanted) || raise("#{wanted} is not in #{found}")
end
KEG = ARGV.fetch(1)
load ARGV.fetch(0)
Rampart.new.tap(&:install).instance_eval(&Rampart.trial)
"##;

/// It names the archive and its checksum, and what it does with what is in there leads to programs that run.
fn formula(test: &str, release: &Release) {
    let formula = fs::read_to_string(release.path("rampart.rb")).unwrap();
    let archive = release.file(".tar.gz");
    let name = archive.file_name().unwrap().to_str().unwrap();
    assert!(formula.contains(&format!("url \"{FROM}/{name}\"")), "{formula}");
    let sum = release.sh(&format!("sha256sum release/{name}")).stdout;
    assert!(formula.contains(&format!("sha256 \"{}\"", sum.split(' ').next().unwrap())), "{formula}");
    if have(test, &["ruby"]) {
        release.world.write("homebrew.rb", HOMEBREW);
        release.sh("mkdir unpacked && tar -xzf release/*.tar.gz -C unpacked").expect(0);
        release
            .sh("place=$PWD && cd unpacked/rampart-* && ruby $place/homebrew.rb $place/release/rampart.rb $place/keg")
            .expect(0);
        for file in [
            "bin/rampart-shim",
            "etc/bash_completion.d/rampart",
            "share/zsh/site-functions/_rampart",
            "share/man/man1/rampart.1",
        ] {
            assert!(release.world.path("keg").join(file).is_file(), "{file}");
        }
    }
}

/// Whether this user may make a root of their own to look from.
fn is_root(test: &str) -> bool {
    let is = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
    if !is {
        skip(test, "to be run by root");
    }
    is
}

/// A Debian with nothing but its minimal base, which is made once.
fn debian(test: &str) -> Option<PathBuf> {
    if !have(test, &["debootstrap", "chroot", "apt-get"]) || !is_root(test) {
        return None;
    }
    let place = clients(test)?.join("debian");
    if !place.join("made").exists() {
        let script = r#"set -e; . /etc/os-release; rm -rf "$1" "$1.new"
            mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -1)
            debootstrap --variant=minbase "$VERSION_CODENAME" "$1.new" "$mirror" && touch "$1.new/made" && mv "$1.new" "$1""#;
        let made = Command::new("sh").args(["-c", script, "sh"]).arg(&place).output().unwrap();
        Ran::from(made).expect(0);
    }
    Some(place)
}

#[test]
fn the_debian_package_and_the_archive_work_where_nothing_else_is_installed() {
    let test = "the_debian_package_and_the_archive_work_where_nothing_else_is_installed";
    let Some(base) = debian(test) else { return };
    let Some(release) = Release::new(test) else { return };
    release.sh(&format!("cp -a {} clean", base.display())).expect(0);
    release.sh("mkdir clean/release && cp release/*.deb release/*.tar.gz clean/release").expect(0);
    let inside = |line: &str| {
        release
            .sh(&format!("chroot clean /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -c '{line}'"))
    };
    let try_it = |line: &str| {
        let ran = inside(line).expect(0);
        assert!(ran.stdout.contains(concat!("rampart ", env!("CARGO_PKG_VERSION"))), "{line}: {ran:?}");
    };
    let judges = |rampart: &str| {
        inside(&format!("{rampart} init --profile standard")).expect(0);
        let ran = inside(&format!("{rampart} test \"cat /root/.ssh/id_ed25519\""));
        assert_eq!(ran.code, Some(1), "{ran:?}");
        inside("rm -rf /root/.rampart /root/.config/rampart").expect(0);
    };
    // The archive, from where it was unpacked.
    inside("cd /opt && tar -xzf /release/*.tar.gz").expect(0);
    try_it("/opt/rampart-*/bin/rampart --version");
    judges("/opt/rampart-*/bin/rampart");
    // What cargo installs. The large program is the one that tests run, as that is built anyway.
    let to = release.world.path("clean/usr/local");
    let install = |package: &str, how: &[&str], target: &str| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["install", "-q", "--locked", "--offline", "--path"]).arg(root().join(package)).args(how);
        cargo.arg("--root").arg(&to).arg("--target-dir").arg(root().join(target));
        Ran::from(cargo.output().unwrap()).expect(0);
    };
    install("gateway/cli", &["--debug"], "target");
    install("shim/shim", &["--profile", "small"], "target/install");
    try_it("/usr/local/bin/rampart --version");
    judges("/usr/local/bin/rampart");
    let ran = inside("/usr/local/bin/rampart-shim");
    assert!(ran.stderr.contains("usage: rampart-shim hook"), "{ran:?}");
    inside("rm -r /usr/local/bin/rampart /usr/local/bin/rampart-shim /usr/local/.crates*").expect(0);
    // The script, which checks signatures by openssl: nothing happens without.
    release.sh("cp release/install.sh release/SHA256SUMS* clean/release").expect(0);
    let ran = inside("sh /release/install.sh --from /release");
    assert!(ran.code == Some(1) && ran.stderr.contains("openssl is needed"), "{ran:?}");
    let openssl =
        "o=$(command -v openssl) && cp --parents -L $o $(ldd $o | grep -o \"/[^ ]*lib\\(ssl\\|crypto\\)[^ ]*\") clean";
    release.sh(openssl).expect(0);
    inside("sh /release/install.sh --from /release").expect(0);
    try_it("/usr/local/bin/rampart --version");
    judges("/usr/local/bin/rampart");
    inside("find /usr/local -depth -name \"*rampart*\" -exec rm -r {} +").expect(0);
    // The package: its dependencies are what is there, it installs, and it goes without a trace.
    inside("dpkg -i /release/*.deb").expect(0);
    try_it("rampart --version");
    judges("rampart");
    for file in [
        "usr/share/bash-completion/completions/rampart",
        "usr/share/man/man1/rampart-watch.1",
        "usr/share/doc/rampart/copyright",
        "usr/bin/rampart-shim",
    ] {
        assert!(release.world.path("clean").join(file).is_file(), "{file}");
    }
    inside("dpkg --purge rampart").expect(0);
    let left = inside("find /usr -name \"*rampart*\"").expect(0);
    assert_eq!(left.stdout, "", "{left:?}");
}
