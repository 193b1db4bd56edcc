//! Copies of the system's programs under other names, known by what is in them. A copy of which one byte was changed is not known.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use crate::loader::is_loader;

/// Where programs are that rules know by name.
const FOLDERS: [&str; 5] = ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/bin", "/sbin"];

/// Where their loaders are, among much else.
#[cfg(target_arch = "x86_64")]
const LIBRARIES: [&str; 3] = ["/lib", "/lib64", "/lib/x86_64-linux-gnu"];
#[cfg(not(target_arch = "x86_64"))]
const LIBRARIES: [&str; 2] = ["/lib", "/lib/aarch64-linux-gnu"];

/// The largest program that is compared, in bytes.
const LARGEST: u64 = 256 << 20;

/// The system's programs by their size in bytes, found when one is first asked about.
#[derive(Debug, Default)]
pub(crate) struct Twins {
    programs: OnceLock<HashMap<u64, Vec<PathBuf>>>,
}

impl Twins {
    /// The system's program that is the same, byte by byte, as this one which is elsewhere.
    pub(crate) fn of(&self, real: &Path, file: &mut File, size: u64) -> Option<PathBuf> {
        if size == 0
            || size > LARGEST
            || real.parent().is_some_and(|folder| FOLDERS.iter().any(|f| folder == Path::new(f)))
        {
            return None;
        }
        let programs = self.programs.get_or_init(by_size);
        programs.get(&size)?.iter().find(|program| is_same(file, program).unwrap_or(false)).cloned()
    }
}

fn by_size() -> HashMap<u64, Vec<PathBuf>> {
    let mut programs: HashMap<u64, Vec<PathBuf>> = HashMap::new();
    let mut seen = std::collections::HashSet::new();
    let folders =
        FOLDERS.iter().filter_map(|folder| Path::new(folder).canonicalize().ok()).filter(|f| seen.insert(f.clone()));
    let entries = |folder: PathBuf| fs::read_dir(folder).into_iter().flatten().flatten();
    let loaders = LIBRARIES.iter().flat_map(|folder| entries(folder.into())).filter(|entry| is_loader(&entry.path()));
    for entry in folders.flat_map(entries).chain(loaders) {
        if let Ok(about) = entry.metadata()
            && about.is_file()
        {
            programs.entry(about.len()).or_default().push(entry.path());
        }
    }
    programs
}

fn is_same(file: &mut File, program: &Path) -> io::Result<bool> {
    use std::io::{Seek as _, SeekFrom};
    let mut other = File::open(program)?;
    file.seek(SeekFrom::Start(0))?;
    let (mut one, mut two) = (Vec::new(), Vec::new());
    loop {
        one.clear();
        two.clear();
        file.by_ref().take(1 << 16).read_to_end(&mut one)?;
        other.by_ref().take(1 << 16).read_to_end(&mut two)?;
        if one != two || one.is_empty() {
            return Ok(one == two);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_known_and_what_is_not_quite_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let twins = Twins::default();
        let own = Path::new("/usr/bin/env").canonicalize().unwrap();
        let mut bytes = fs::read(&own).unwrap();
        let find = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            twins.of(&path, &mut File::open(&path).unwrap(), bytes.len() as u64)
        };
        assert_eq!(find("copy", &bytes), Some(own.clone()));
        bytes.push(0);
        assert_eq!(find("longer", &bytes), None);
        bytes.pop();
        *bytes.last_mut().unwrap() ^= 1;
        assert_eq!(find("changed", &bytes), None);
        assert_eq!(find("empty", &[]), None);
        let size = own.metadata().unwrap().len();
        assert_eq!(twins.of(&own, &mut File::open(&own).unwrap(), size), None, "it is where it belongs");
    }
}
