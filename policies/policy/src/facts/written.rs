//! The code in a file that is written, as the commands that would run it.

use rampart_call::CommandLine;

use super::arguments::interpreter_of;

/// Most commands that one file is taken for, and how long a file is read.
const MOST_COMMANDS: usize = 1024;
const MOST_READ: usize = 256 * 1024;

/// Members of a JSON document whose texts are for people.
const FOR_PEOPLE: &[&str] =
    &["author", "description", "detail", "homepage", "keywords", "label", "license", "message", "name", "title", "url"];

/// The commands that would run what is written to a file, as far as its name or first line says what it holds.
pub(super) fn commands(path: &str, text: &str) -> Vec<CommandLine> {
    let text = text.get(..text.floor_char_boundary(MOST_READ)).unwrap_or(text);
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    // a path of a repository begins with none
    let path = &format!("/{path}");
    let words = |words: [&str; 3]| CommandLine::Argv(words.map(str::to_owned).into());
    if is_makefile(name) {
        let mut make: Vec<String> = ["make", "--eval", text].map(str::to_owned).into();
        make.extend(targets(text));
        return vec![CommandLine::Argv(make)];
    }
    if holds_commands(path, name) {
        return members(text).into_iter().map(|command| words(["bash", "-c", &command])).take(MOST_COMMANDS).collect();
    }
    if let Some(cells) = cells(name, text) {
        return vec![words(["python3", "-c", &cells])];
    }
    if lists_commands(path, name) {
        return lines(text).into_iter().map(|command| words(["bash", "-c", &command])).take(MOST_COMMANDS).collect();
    }
    if name == ".envrc" || path.contains("/.husky/") {
        return vec![words(["bash", "-c", text])];
    }
    if let Some(compiler) = compiler_of(name) {
        return vec![CommandLine::Command(given_to(compiler, text))];
    }
    interpreter_of(path, text).map(|[program, option]| words([program, option, text])).into_iter().collect()
}

fn ending(name: &str) -> Option<&str> {
    name.rsplit_once('.').map(|(_, ending)| ending)
}

fn is_makefile(name: &str) -> bool {
    matches!(name, "Makefile" | "makefile" | "GNUmakefile") || ending(name) == Some("mk")
}

/// The names of a makefile's rules.
fn targets(text: &str) -> impl Iterator<Item = String> {
    let heads = text.lines().filter(|line| !line.starts_with(['\t', ' ', '#', '.'])).filter_map(|line| {
        let (names, rest) = line.split_once(':')?;
        (!rest.starts_with('=') && !names.contains(['=', '$', '%'])).then(|| names.split_whitespace())
    });
    heads.flatten().map(str::to_owned).take(MOST_COMMANDS)
}

/// Documents of JSON whose texts are commands: of packages, of editors, and of what prepares a container.
fn holds_commands(path: &str, name: &str) -> bool {
    matches!(name, "package.json" | "devcontainer.json" | ".devcontainer.json" | "composer.json")
        || path.ends_with(".vscode/tasks.json")
        || ending(name) == Some("code-workspace")
}

/// The texts of a document of JSON, or of a part of one, that stand behind a name and are not for people.
fn members(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut name = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('"') {
        let from = rest.get(start..).unwrap_or("");
        let Some(length) = end_of_text(from) else { break };
        let (literal, behind) = from.split_at(length);
        let value: String = serde_json::from_str(literal).unwrap_or_default();
        rest = behind;
        if behind.trim_start().starts_with(':') {
            name = value.to_ascii_lowercase();
        } else if !FOR_PEOPLE.contains(&name.as_str()) && value.contains(' ') {
            found.push(value);
        }
    }
    found
}

/// Where a text of JSON ends that begins here.
fn end_of_text(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().enumerate().skip(1).find_map(|(at, byte)| match byte {
        b'"' if !escaped => Some(at + 1),
        b'\\' if !escaped => {
            escaped = true;
            None
        }
        _ => {
            escaped = false;
            None
        }
    })
}

/// Files in which a line is a command, alone or behind a word: of services that build, and of what runs tasks.
fn lists_commands(path: &str, name: &str) -> bool {
    const NAMES: &[&str] = &[
        ".gitlab-ci.yml",
        "Jenkinsfile",
        "Procfile",
        "action.yaml",
        "action.yml",
        "azure-pipelines.yml",
        "bitbucket-pipelines.yml",
        "cloudbuild.yaml",
        "justfile",
        "lefthook.yml",
    ];
    let yaml = matches!(ending(name), Some("yml" | "yaml"));
    NAMES.contains(&name)
        || yaml && (path.contains("/.github/workflows/") || path.contains("/.circleci/"))
        || yaml && ["Taskfile", "taskfile", "compose", "docker-compose"].iter().any(|start| name.starts_with(start))
}

/// The lines of such a file without what stands before a command.
fn lines(text: &str) -> Vec<String> {
    const BEFORE: &[&str] = &[
        "cmd:",
        "cmds:",
        "command:",
        "entrypoint:",
        "inlineScript:",
        "release:",
        "run:",
        "script:",
        "sh:",
        "web:",
        "worker:",
    ];
    let joined = text.replace("\\\n", " ");
    let told = joined.lines().filter_map(|line| {
        let mut line = line.trim();
        line = line.strip_prefix("- ").unwrap_or(line).trim_start();
        line = BEFORE.iter().find_map(|word| line.strip_prefix(word)).unwrap_or(line).trim_start();
        // a step of a pipeline in Groovy
        line = line.strip_prefix("sh '").and_then(|line| line.strip_suffix('\'')).unwrap_or(line);
        line = line.strip_prefix('@').unwrap_or(line);
        let quoted = line.strip_prefix('"').and_then(|line| line.strip_suffix('"'));
        line = quoted.or_else(|| line.strip_prefix('\'').and_then(|line| line.strip_suffix('\''))).unwrap_or(line);
        let is_command = line.contains(' ') && !line.starts_with(['#', '|', '>', '{', '[']);
        is_command.then(|| line.replace("$$", "$").replace("{{home}}", "$HOME").replace("{{.HOME}}", "$HOME"))
    });
    told.collect()
}

/// The code in the cells of a notebook.
fn cells(name: &str, text: &str) -> Option<String> {
    let notebook: serde_json::Value = serde_json::from_str(text).ok().filter(|_| ending(name) == Some("ipynb"))?;
    let cells = notebook["cells"].as_array()?.iter().filter(|cell| cell["cell_type"] == "code");
    let lines = cells.flat_map(|cell| match &cell["source"] {
        serde_json::Value::Array(lines) => {
            lines.iter().filter_map(|line| line.as_str()).chain(["\n"]).collect::<Vec<_>>()
        }
        source => source.as_str().into_iter().chain(["\n"]).collect(),
    });
    Some(lines.collect())
}

/// What compiles and runs source text that it is given on its standard input.
fn compiler_of(name: &str) -> Option<&'static str> {
    Some(match ending(name)? {
        "rs" => "rustc -",
        "go" => "go run /dev/stdin",
        "c" | "cc" | "cpp" | "cxx" => "gcc -x c -",
        _ => return None,
    })
}

/// The command with a text on its standard input.
fn given_to(command: &str, text: &str) -> String {
    let mut end = "END".to_owned();
    while text.contains(&end) {
        end.push('_');
    }
    format!("{command} <<'{end}'\n{text}\n{end}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<String> {
        commands(path, text).iter().map(CommandLine::to_line).collect()
    }

    #[test]
    fn a_file_is_taken_for_what_would_run_it() {
        for (path, text, first) in [
            ("/p/a.py", "x", "python3 -c x"),
            ("/p/a.TS", "x", "node -e x"),
            ("/p/bin/tool", "#!/usr/bin/env python3\nx", "python3 -c '#!/usr/bin/env python3\nx'"),
            ("/p/.envrc", "x", "bash -c x"),
            ("/p/.husky/pre-push", "npm test", "bash -c 'npm test'"),
            ("/p/lib.rs", "x END y", "rustc - <<'END_'\nx END y\nEND_\n"),
            ("/p/Makefile", "a: b\n\tx\nV := 1\n.PHONY: a\nb:\n\ty\n", "make --eval"),
            (
                "/p/package.json",
                r#"{"name": "a b", "scripts": {"test": "a \"b\" c", "x": "y"}}"#,
                "bash -c 'a \"b\" c'",
            ),
            ("/p/.devcontainer/devcontainer.json", r#""postCreateCommand": "npm ci"#, ""),
            ("/p/.devcontainer/devcontainer.json", r#""onCreateCommand": ["npm ci"]"#, "bash -c 'npm ci'"),
            ("/p/README.md", "rm -rf /", ""),
            ("/p/.gitlab-ci.yml", "test:\n  script:\n    - npm ci\n", "bash -c 'npm ci'"),
            ("/p/.github/workflows/a.yml", "      - run: npm ci\n", "bash -c 'npm ci'"),
            ("/p/Procfile", "release: \"make all\"\n", "bash -c 'make all'"),
            ("/p/a.ipynb", r#"{"cells": [{"cell_type": "code", "source": ["x\n", "y"]}]}"#, "python3 -c 'x\ny\n'"),
            (".github/workflows/a.yml", "      - run: npm ci\n", "bash -c 'npm ci'"),
            ("/p/values.yml", "cmd: rm -rf /\n", ""),
        ] {
            let found = lines(path, text);
            assert!(found.first().map_or("", String::as_str).starts_with(first), "{path}: {found:?}");
            assert_eq!(found.is_empty(), first.is_empty(), "{path}: {found:?}");
        }
        assert!(lines("/p/Makefile", "a c: b\n\tx\nV := 1\nb:\n")[0].ends_with(" a c b"));
        // Padding hides nothing.
        assert_eq!(lines("/p/.gitlab-ci.yml", &"  - npm ci\n".repeat(500)).len(), 500);
    }
}
