//! What is taken over, and what stands in the way of that. The kernel's part is played by hand: files in the upper layer.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
};

use super::*;

struct World {
    folder: tempfile::TempDir,
    view: View,
}

impl World {
    /// A project in which `prepare` made something, and an empty copy.
    fn new(prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path().join("project");
        fs::create_dir(&project).unwrap();
        prepare(&project);
        let view = View::begin(&Home::at(folder.path().join("home")), &project, "mine", "s").unwrap();
        Self { folder, view }
    }

    fn project(&self, path: &str) -> PathBuf {
        self.folder.path().join("project").join(path)
    }

    fn upper(&self, path: &str) -> PathBuf {
        self.view.overlay().upper.join(path)
    }

    fn shown(&self) -> String {
        anstream::adapter::strip_str(&show(&self.view.changes().unwrap(), Shown::Whole)).to_string()
    }

    fn accept(&self, over: bool) -> anyhow::Result<usize> {
        self.view.changes().unwrap().accept(over)
    }
}

fn write(path: impl AsRef<Path>, text: &str) {
    fs::create_dir_all(path.as_ref().parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn files_folders_links_and_rights_are_taken_over() {
    let world = World::new(|project| {
        write(project.join("a"), "one\ntwo\n");
        write(project.join("same"), "same");
        write(project.join("tool"), "x");
    });
    write(world.upper("a"), "one\n2\n");
    write(world.upper("same"), "same");
    write(world.upper("deep/er/new"), "new\n");
    write(world.upper("tool"), "x");
    fs::set_permissions(world.upper("tool"), fs::Permissions::from_mode(0o4755)).unwrap();
    fs::set_permissions(world.upper("deep"), fs::Permissions::from_mode(0o750)).unwrap();
    symlink("/etc/passwd", world.upper("link")).unwrap();
    let shown = world.shown();
    for line in
        ["changed  a  +1 -1", "made     deep/\n", "made     deep/er/new  +1 -0", "-two\n+2\n", "link -> /etc/passwd"]
    {
        assert!(shown.contains(line), "{line}: {shown}");
    }
    assert!(shown.contains("rights   tool  644 to 755") && !shown.contains("same"), "{shown}");
    assert_eq!(world.accept(false).unwrap(), 6);
    assert_eq!(fs::read_to_string(world.project("a")).unwrap(), "one\n2\n");
    assert_eq!(fs::read_to_string(world.project("deep/er/new")).unwrap(), "new\n");
    assert_eq!(fs::read_link(world.project("link")).unwrap(), Path::new("/etc/passwd"));
    let mode = |path| fs::metadata(world.project(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("tool"), mode("deep")), (0o755, 0o750), "nothing runs as its owner for that");
    assert!(world.view.changes().unwrap().is_empty(), "all of it is there");
}

#[test]
fn what_others_changed_meanwhile_stands_in_the_way_and_nothing_is_done() {
    type Act = fn(&World);
    let table: [(&str, Act, &str); 4] = [
        ("a", |w| write(w.project("a"), "theirs\n"), "a: changed meanwhile"),
        ("a", |w| fs::remove_file(w.project("a")).unwrap(), "a: removed meanwhile"),
        ("new", |w| write(w.project("new"), "theirs\n"), "new: made meanwhile"),
        (
            "a",
            |w| fs::set_permissions(w.project("a"), fs::Permissions::from_mode(0o600)).unwrap(),
            "a: changed meanwhile",
        ),
    ];
    for (path, act, expected) in table {
        let world = World::new(|project| write(project.join("a"), "one\n"));
        write(world.upper("first"), "mine\n");
        write(world.upper(path), "mine\n");
        act(&world);
        let error = world.accept(false).unwrap_err().to_string();
        assert!(error.contains(expected), "{path}: {error}");
        assert!(world.shown().contains("meanwhile"), "{}", world.shown());
        assert!(!world.project("first").exists(), "{path}: nothing is done");
        world.accept(true).unwrap();
        assert_eq!(fs::read_to_string(world.project(path)).unwrap(), "mine\n");
    }
    // What somebody else made the same is none.
    let world = World::new(|project| write(project.join("a"), "one\n"));
    write(world.upper("a"), "both\n");
    write(world.project("a"), "both\n");
    assert_eq!(world.accept(false).unwrap(), 0);
}

#[test]
fn no_link_is_followed_out_of_the_project_or_the_copy() {
    let world = World::new(|project| write(project.join("sub/a"), "one\n"));
    let outside = world.folder.path().join("outside");
    write(outside.join("a"), "outside\n");
    write(world.upper("sub/a"), "mine\n");
    // A folder of the project becomes a link.
    fs::remove_dir_all(world.project("sub")).unwrap();
    symlink(&outside, world.project("sub")).unwrap();
    assert!(world.accept(false).is_err());
    world.accept(true).unwrap();
    assert_eq!(fs::read_to_string(outside.join("a")).unwrap(), "outside\n");
    assert_eq!(fs::read_to_string(world.project("sub/a")).unwrap(), "mine\n");
    assert!(!world.project("sub").is_symlink());
    // A file of the copy becomes a link to a secret after it was looked at.
    let world = World::new(|_| {});
    write(world.upper("a"), "mine\n");
    let changes = world.view.changes().unwrap();
    fs::remove_file(world.upper("a")).unwrap();
    symlink("/etc/passwd", world.upper("a")).unwrap();
    assert!(changes.accept(false).is_err() && !world.project("a").exists());
    // And one whose content is another than was shown.
    let world = World::new(|_| {});
    write(world.upper("a"), "mine\n");
    let changes = world.view.changes().unwrap();
    write(world.upper("a"), "else\n");
    let error = format!("{:#}", changes.accept(false).unwrap_err());
    assert!(error.contains("since it was looked at") && !world.project("a").exists(), "{error}");
    assert_eq!(fs::read_dir(world.project("")).unwrap().count(), 0, "nothing unfinished stays");
}

#[test]
fn names_and_texts_reach_no_terminal_as_they_are() {
    let world = World::new(|_| {});
    write(world.upper("a\u{1b}[2J\nb\\n"), "\u{1b}]0;title\u{7}\u{202e}\r\n");
    write(world.upper("binary"), "\0\u{1b}[2J");
    symlink("\u{1b}[31m", world.upper("link")).unwrap();
    let changes = world.view.changes().unwrap();
    let shown = show(&changes, Shown::Whole);
    let plain = anstream::adapter::strip_str(&shown).to_string();
    assert!(plain.contains(r"a\u{1b}[2J\nb\\n"), "{plain}");
    assert!(plain.contains(r"+\u{1b}]0;title\u{7}\u{202e}\u{d}") && plain.contains(r"link -> \u{1b}[31m"), "{plain}");
    assert!(plain.contains("binary, 5 bytes") && !plain.contains('\r') && !plain.contains('\u{202e}'), "{plain}");
    // Escapes of ours are colours.
    assert!(shown.split('\u{1b}').skip(1).all(|rest| rest.starts_with('[') && rest.contains('m')), "{shown:?}");
    write(world.upper("long"), &"line\n".repeat(100));
    let cut = show(&world.view.changes().unwrap(), Shown::Lines(10));
    assert!(cut.contains("more lines"), "{cut}");
}

#[test]
fn another_folder_in_the_projects_place_is_not_the_project() {
    let world = World::new(|project| write(project.join("a"), "one\n"));
    fs::rename(world.project(""), world.folder.path().join("moved")).unwrap();
    fs::create_dir(world.project("")).unwrap();
    let error = world.view.changes().err().unwrap().to_string();
    assert!(error.contains("another folder"), "{error}");
}

#[test]
fn copies_are_found_by_how_their_names_begin_and_removed_whatever_is_in_them() {
    let world = World::new(|_| {});
    let home = Home::at(world.folder.path().join("home"));
    let other = View::begin(&home, &world.project(""), "mine", "s").unwrap();
    assert_eq!(View::all(&home).unwrap().len(), 2);
    assert_eq!(View::find(&home, &other.id).unwrap().id, other.id);
    assert!(View::find(&home, "").is_err() && View::find(&home, "nothing").is_err());
    write(world.upper("closed/x"), "x");
    fs::set_permissions(world.upper("closed"), fs::Permissions::from_mode(0o000)).unwrap();
    View::find(&home, &world.view.id).unwrap().remove().unwrap();
    assert_eq!(View::all(&home).unwrap().len(), 1);
    let error = View::begin(&home, world.folder.path(), "mine", "s").err().unwrap().to_string();
    assert!(error.contains("lies in the project"), "{error}");
}
