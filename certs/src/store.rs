//! The authority on disk: one private file, `authority.pem`, with key and certificate together, so that there is no
//! moment with one and without the other; `ca.pem`, the certificate alone, for those who shall trust it; and
//! `bundle.pem`, the same with the roots of the machine.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{ErrorKind, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use rustix::process::geteuid;
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;

use crate::{Authority, Fault, authority::valid};

const PRIVATE: &str = "authority.pem";
const PUBLIC: &str = "ca.pem";
const BUNDLE: &str = "bundle.pem";
const JAVA: &str = "bundle.p12";
/// More than any key and certificate of ours; keeps a wrong file from filling the memory.
const MAX_SIZE: u64 = 64 * 1024;

impl Authority {
    /// The authority kept in the folder `dir`. Folder and authority are made when they are not there; two processes
    /// that do so at once end up with the same one.
    ///
    /// # Errors
    /// When the folder or the key belongs to someone else or is open to others, when the authority has expired or the
    /// file is damaged, and when the folder cannot be read or written.
    pub fn open(dir: &Path) -> Result<Self, Fault> {
        Self::open_at(dir, OffsetDateTime::now_utc())
    }

    fn open_at(dir: &Path, now: OffsetDateTime) -> Result<Self, Fault> {
        folder(dir)?;
        let path = dir.join(PRIVATE);
        let authority = match load(&path, now)? {
            Some(authority) => authority,
            None => create(dir, &path, now)?,
        };
        replace(dir, &dir.join(PUBLIC), authority.certificate_pem())?;
        Ok(authority)
    }

    /// The certificate of the authority kept in `dir`; none where there is none yet. The key is not taken up, which takes
    /// tens of milliseconds before the first use of randomness.
    ///
    /// # Errors
    /// As [`Self::open`], but for what is wrong with the key.
    pub fn certificate_in(dir: &Path) -> Result<Option<CertificateDer<'static>>, Fault> {
        let (path, now) = (dir.join(PRIVATE), OffsetDateTime::now_utc());
        let Some(text) = read(&path)? else { return Ok(None) };
        let (certificate, _) = valid(&text, now).map_err(|e| e.at(path, now))?;
        replace(dir, &dir.join(PUBLIC), &crate::trust::pem(&certificate))?;
        Ok(Some(certificate))
    }

    /// Puts a new authority in the place of the one kept in `dir`, whatever state that is in. Where `only` names domains,
    /// the new one is good for these and what is below them, and for nothing else. Who works with the old one goes on so
    /// until it is opened again; who trusts the old one does not trust the new one.
    ///
    /// # Errors
    /// When the folder belongs to someone else, or cannot be written.
    pub fn rotate(dir: &Path, only: &[String]) -> Result<Self, Fault> {
        let now = OffsetDateTime::now_utc();
        folder(dir)?;
        let authority = Self::generate_at(now, only)?;
        let fresh = write_new(dir, private(&authority).as_bytes(), 0o600)?;
        let path = dir.join(PRIVATE);
        fs::rename(&fresh, &path).map_err(|source| io("write", &path, source))?;
        replace(dir, &dir.join(PUBLIC), authority.certificate_pem())?;
        Ok(authority)
    }

    /// The path of `bundle.pem` where [`Self::write_bundle`] would change nothing, as far as that is seen without reading
    /// hundreds of roots: it ends with this certificate, and is newer than what the machine trusts.
    pub fn current_bundle(certificate: &CertificateDer<'_>, dir: &Path) -> Option<PathBuf> {
        let path = dir.join(BUNDLE);
        let made = fs::metadata(&path).ok().map(|meta| (meta.ctime(), meta.ctime_nsec()))?;
        let is_newer = made > crate::roots::changed_at()?;
        let ends = || fs::read_to_string(&path).is_ok_and(|text| text.ends_with(&crate::trust::pem(certificate)));
        (is_newer && Self::java_path(dir).exists() && ends()).then_some(path)
    }

    /// Writes `bundle.pem` into the folder: `roots` and the authority's certificate, for tools whose own roots are replaced by what
    /// they are pointed to (see [`Kind::Replaces`](crate::trust::Kind::Replaces)). Returns its path. Beside it the same
    /// for Java, which reads no PEM, where that can be made.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write_bundle(
        certificate: &CertificateDer<'_>,
        dir: &Path,
        roots: &[CertificateDer<'_>],
    ) -> Result<PathBuf, Fault> {
        let path = dir.join(BUNDLE);
        let text = crate::trust::bundle(roots, certificate);
        let java = Self::java_path(dir);
        // It takes its time to make, and is the same as long as the bundle is.
        if !(java.exists() && fs::read_to_string(&path).is_ok_and(|old| old == text)) {
            match crate::trust::java_store(roots, certificate) {
                Ok(store) => put(dir, &java, &store)?,
                Err(why) => tracing::warn!(why, "no certificates for Java"),
            }
        }
        replace(dir, &path, &text)?;
        Ok(path)
    }

    /// The store for Java (see [`java_options`](crate::trust::java_options)) that stands beside `bundle.pem`.
    pub fn java_path(dir: &Path) -> PathBuf {
        dir.join(JAVA)
    }

    /// The certificate of the authority kept in `dir`: the file that clients are pointed to.
    pub fn certificate_path(dir: &Path) -> PathBuf {
        dir.join(PUBLIC)
    }
}

/// Makes the folder, and refuses one that is not ours alone.
fn folder(dir: &Path) -> Result<(), Fault> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|source| io("make the folder", dir, source))?;
    let folder = fs::metadata(dir).map_err(|source| io("look at", dir, source))?;
    only_ours(dir, &folder, 0o700)
}

/// The text of the private file.
fn private(authority: &Authority) -> String {
    format!("{}{}", authority.key_pem(), authority.certificate_pem())
}

fn load(path: &Path, now: OffsetDateTime) -> Result<Option<Authority>, Fault> {
    let Some(text) = read(path)? else { return Ok(None) };
    Authority::from_pem(&text, &text, now).map(Some).map_err(|e| e.at(path.to_owned(), now))
}

/// The text of the private file, if there is one.
fn read(path: &Path) -> Result<Option<String>, Fault> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(io("read", path, source)),
    };
    let meta = file.metadata().map_err(|source| io("look at", path, source))?;
    only_ours(path, &meta, 0o600)?;
    let mut text = String::new();
    file.take(MAX_SIZE).read_to_string(&mut text).map_err(|source| io("read", path, source))?;
    Ok(Some(text))
}

fn create(dir: &Path, path: &Path, now: OffsetDateTime) -> Result<Authority, Fault> {
    let authority = Authority::generate_at(now, &[])?;
    let fresh = write_new(dir, private(&authority).as_bytes(), 0o600)?;
    // A link, unlike a rename, does not replace what another process has put there meanwhile.
    let linked = fs::hard_link(&fresh, path);
    let _ = fs::remove_file(&fresh);
    match linked {
        Ok(()) => Ok(authority),
        Err(e) if e.kind() == ErrorKind::AlreadyExists => load(path, now)?.ok_or_else(|| Fault::Broken {
            path: path.to_owned(),
            why: "it vanished while it was being read".to_owned(),
        }),
        Err(source) => Err(io("write", path, source)),
    }
}

/// Writes a public file, unless it says that already. Readers see the old text or the new one, never a part.
fn replace(dir: &Path, path: &Path, text: &str) -> Result<(), Fault> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    put(dir, path, text.as_bytes())
}

fn put(dir: &Path, path: &Path, bytes: &[u8]) -> Result<(), Fault> {
    let fresh = write_new(dir, bytes, 0o644)?;
    fs::rename(&fresh, path).map_err(|source| io("write", path, source))
}

/// Writes a file under a name that nobody uses, and returns the name.
fn write_new(dir: &Path, bytes: &[u8], mode: u32) -> Result<PathBuf, Fault> {
    let mut random = [0u8; 8];
    getrandom::fill(&mut random).map_err(|e| io("write", dir, std::io::Error::other(e.to_string())))?;
    let path = dir.join(format!(".new-{:016x}", u64::from_ne_bytes(random)));
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    match write() {
        Ok(()) => Ok(path),
        Err(source) => {
            let _ = fs::remove_file(&path);
            Err(io("write", &path, source))
        }
    }
}

fn only_ours(path: &Path, meta: &fs::Metadata, want: u32) -> Result<(), Fault> {
    let you = geteuid().as_raw();
    if meta.uid() != you {
        return Err(Fault::Foreign { path: path.to_owned(), owner: meta.uid(), you });
    }
    let mode = meta.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(Fault::Exposed { path: path.to_owned(), mode, want });
    }
    Ok(())
}

fn io(what: &'static str, path: &Path, source: std::io::Error) -> Fault {
    Fault::Io { what, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use tempfile::TempDir;
    use time::Duration;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn it_is_made_once_and_found_again() {
        let home = TempDir::new().unwrap();
        let dir = home.path().join("deep/ca");
        let first = Authority::open(&dir).unwrap();
        let second = Authority::open(&dir).unwrap();
        assert_eq!(first.certificate(), second.certificate());
        assert_eq!((mode(&dir), mode(&dir.join(PRIVATE)), mode(&dir.join(PUBLIC))), (0o700, 0o600, 0o644));
        let public = fs::read_to_string(Authority::certificate_path(&dir)).unwrap();
        assert_eq!(public, first.certificate_pem());
        assert!(!public.contains("PRIVATE"));
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 2, "nothing else is left in the folder");
    }

    #[test]
    fn processes_that_start_at_once_agree() {
        let home = TempDir::new().unwrap();
        let dir = home.path().join("ca");
        let made: Vec<_> = std::thread::scope(|s| {
            let threads: Vec<_> = (0..8).map(|_| s.spawn(|| Authority::open(&dir).unwrap())).collect();
            threads.into_iter().map(|t| t.join().unwrap().certificate().to_vec()).collect()
        });
        assert!(made.windows(2).all(|w| w[0] == w[1]));
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_with_the_remedy() {
        let home = TempDir::new().unwrap();
        let dir = home.path().join("ca");
        Authority::open(&dir).unwrap();
        chmod(&dir.join(PRIVATE), 0o644);
        let err = Authority::open(&dir).unwrap_err().to_string();
        assert!(err.contains("open to other users (mode 644)") && err.contains("chmod 600"), "{err}");
        chmod(&dir.join(PRIVATE), 0o600);
        chmod(&dir, 0o755);
        let err = Authority::open(&dir).unwrap_err().to_string();
        assert!(err.contains("chmod 700"), "{err}");
    }

    #[test]
    fn an_expired_authority_is_refused_with_the_remedy() {
        let home = TempDir::new().unwrap();
        let dir = home.path().join("ca");
        Authority::open(&dir).unwrap();
        let now = OffsetDateTime::now_utc();
        for then in [now + Duration::days(731), now - Duration::days(1)] {
            let err = Authority::open_at(&dir, then).unwrap_err().to_string();
            assert!(err.contains("valid from") && err.contains("rampart ca rotate"), "{err}");
        }
    }

    #[test]
    fn a_damaged_file_is_refused_and_left_alone() {
        let home = TempDir::new().unwrap();
        let dir = home.path().join("ca");
        let other = Authority::generate().unwrap();
        Authority::open(&dir).unwrap();
        let path = dir.join(PRIVATE);
        let good = fs::read_to_string(&path).unwrap();
        let foreign_key = format!("{}{}", other.key_pem(), Authority::open(&dir).unwrap().certificate_pem());
        for text in ["", "hello", &good[..good.len() / 3], &good[..good.len() * 3 / 4], &foreign_key] {
            fs::write(&path, text).unwrap();
            let err = Authority::open(&dir).unwrap_err().to_string();
            assert!(err.contains("does not hold a certificate authority"), "{err}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn a_missing_public_file_is_written_again() {
        let home = TempDir::new().unwrap();
        let dir = home.path().join("ca");
        let authority = Authority::open(&dir).unwrap();
        fs::write(dir.join(PUBLIC), "stale").unwrap();
        Authority::open(&dir).unwrap();
        assert_eq!(fs::read_to_string(dir.join(PUBLIC)).unwrap(), authority.certificate_pem());
    }

    #[test]
    fn the_certificate_is_found_without_the_key() {
        let home = TempDir::new().unwrap();
        let dir = home.path().join("ca");
        assert_eq!(Authority::certificate_in(&dir).unwrap(), None);
        let authority = Authority::open(&dir).unwrap();
        fs::write(dir.join(PUBLIC), "stale").unwrap();
        assert_eq!(Authority::certificate_in(&dir).unwrap().as_ref(), Some(authority.certificate()));
        assert_eq!(fs::read_to_string(dir.join(PUBLIC)).unwrap(), authority.certificate_pem());
        fs::write(dir.join(PRIVATE), "nonsense").unwrap();
        assert!(matches!(Authority::certificate_in(&dir), Err(Fault::Broken { .. })));
        chmod(&dir.join(PRIVATE), 0o644);
        assert!(matches!(Authority::certificate_in(&dir), Err(Fault::Exposed { .. })));
    }

    #[test]
    fn the_bundle_is_written_beside_the_authority() {
        let home = TempDir::new().unwrap();
        let dir = home.path().join("ca");
        let (authority, root) = (Authority::open(&dir).unwrap(), Authority::generate().unwrap());
        for roots in [&[][..], &[root.certificate().clone()]] {
            let path = Authority::write_bundle(authority.certificate(), &dir, roots).unwrap();
            let held = crate::parse_pem(&fs::read(&path).unwrap()).unwrap();
            assert_eq!(held, [roots, &[authority.certificate().clone()]].concat());
            let current = Authority::current_bundle(authority.certificate(), &dir);
            // Where a variable or another system says what is trusted, nothing is known of its changes.
            assert_eq!(current, crate::roots::changed_at().map(|_| path.clone()));
            assert_eq!(Authority::current_bundle(root.certificate(), &dir), None, "another authority's");
        }
        fs::remove_file(Authority::java_path(&dir)).unwrap();
        assert_eq!(Authority::current_bundle(authority.certificate(), &dir), None);
        Authority::write_bundle(authority.certificate(), &dir, &[root.certificate().clone()]).unwrap();
        let mut names: Vec<_> = fs::read_dir(&dir).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, [PRIVATE, JAVA, BUNDLE, PUBLIC]);
    }

    #[test]
    fn n9_a_new_authority_takes_the_place_of_any_other() {
        let home = TempDir::new().unwrap();
        let dir = home.path().join("ca");
        let first = Authority::open(&dir).unwrap();
        let second = Authority::rotate(&dir, &[]).unwrap();
        assert_ne!(first.certificate_pem(), second.certificate_pem());
        assert_eq!(Authority::open(&dir).unwrap().certificate_pem(), second.certificate_pem());
        assert_eq!(fs::read_to_string(Authority::certificate_path(&dir)).unwrap(), second.certificate_pem());
        let later = OffsetDateTime::now_utc() + time::Duration::days(800);
        assert!(matches!(Authority::open_at(&dir, later), Err(Fault::Expired { .. })));
        fs::write(dir.join(PRIVATE), "not a key").unwrap();
        assert!(Authority::open(&dir).is_err());
        Authority::rotate(&dir, &[]).unwrap();
        assert!(Authority::open(&dir).is_ok(), "whatever was there before");
        assert_eq!(fs::metadata(dir.join(PRIVATE)).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn an_authority_can_be_good_for_some_domains_only() {
        let home = TempDir::new().unwrap();
        let only = ["example.com".to_owned()];
        let authority = Authority::rotate(&home.path().join("ca"), &only).unwrap();
        for (host, good) in [
            ("example.com", true),
            ("api.example.com", true),
            ("example.org", false),
            ("badexample.com", false),
            ("192.0.2.1", false),
            ("2001:db8::1", false),
        ] {
            let leaf = authority.leaf(host).unwrap();
            assert_eq!(crate::leaf::verifies(&authority, &leaf, host), good, "{host}");
        }
    }
}
