//! Text that is made to be slow is not.

#![expect(clippy::disallowed_methods, reason = "the test measures time")]

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use rampart_call::CommandLine;
use rampart_shell::{Surroundings, analyze};

/// A debug build on a busy machine is given many times what a release build takes; what is quadratic takes seconds.
const BOUND: Duration = Duration::from_millis(1500);

#[track_caller]
fn is_quick(text: String) -> bool {
    let command = CommandLine::Command(text);
    let start = Instant::now();
    let analysis = analyze(&command, &Surroundings::default());
    let took = start.elapsed();
    assert!(took < BOUND, "{took:?}");
    analysis.complete
}

#[test]
fn eight_kilobytes_of_anything_are_quick() {
    for piece in [
        "a",
        "rm -rf a; ",
        "(a);",
        "$(a)",
        "a=$a$a;",
        "{a,b}",
        "`",
        "a[",
        "$[",
        "*a",
        "eval ",
        "sudo ",
        "cat <<A\n",
        "a|",
        "a&&",
        "${a:-",
        "'",
        "\"",
        "<(",
        "((",
        "[[ ",
        "if a;then ",
        "case a in a)",
        "f(){ ",
        "a/../",
        "env ",
        "xargs ",
        "bash -c ",
        "%%%",
        "{",
        "{a,{b,",
        "\\\n",
        "@(a|",
        "python3 -c ",
        "find . -exec ",
        "C:\\a",
        "%a%\\b",
        "=(a",
        "declare -a a=([0]=b ",
        "a=([",
        "-name '*.pem' ",
        "/ -name x ",
        "$env:a\\",
        "/etc/shadow ",
        "put a;",
        "for a in b ",
        "a += a\n",
        "<*/",
        "-e password ",
        "key: {privileged: true}\n",
        "${a%%*[!b]*}",
        "a='b[$(c)]';((a));",
        "read a b <<<'c d';",
        "import {a} from 'b';",
        "import a, ",
        "for (a of ",
        "a.b(c => ",
        "foreach (a as ",
        "a{|b| ",
        "\"a\" b ",
        "system(\"a\" ",
        "from '/a' ",
        "read('/a') ",
        "$ENV | env ",
        "ENV{$a}",
        "chr(65)+",
        "Command.new(a).arg(",
        "\t$(a)\n",
        "\"scripts\": {\"a\": \"b\"} ",
        "ln -s / a;",
        "declare -n a=b;",
        "exec 3<<<a;",
        "git remote add a b://c;",
        "echo a>a;make;",
    ] {
        is_quick(piece.repeat(8192 / piece.len()));
        is_quick(format!("python3 -c '{}'", piece.replace('\'', "(").repeat(8000 / piece.len())));
        is_quick(format!("cat {}", piece.repeat(8000 / piece.len())));
        let text = piece.repeat(8000 / piece.len());
        for command in [
            "find / ",
            "grep -r ",
            "perl -e ",
            "julia -e ",
            "powershell ",
            "ls | xargs -I{} rm ",
            "curl -K - ",
            "node -e ",
            "ruby -e ",
            "awk ",
            "jq ",
            "sqlite3 a ",
        ] {
            is_quick(format!("{command}{text}"));
        }
        for command in [
            "sftp h",
            "kubectl apply -f -",
            "cpio -o",
            "curl -K -",
            "parallel",
            "go run -",
            "envsubst",
            "node",
            "perl",
            "php",
            "awk -f -",
            "psql",
        ] {
            is_quick(format!("{command} <<'END OF TEXT'\n{text}\nEND OF TEXT"));
        }
        for (file, command) in
            [("Makefile", "make"), ("package.json", "npm test"), ("a.c", "cc a.c"), ("a.rs", "rustc a.rs")]
        {
            is_quick(format!("cat > {file} <<'END OF TEXT'\n{text}\nEND OF TEXT\n{command}"));
        }
    }
}

#[test]
fn nesting_is_given_up_and_not_followed() {
    for (open, close) in [
        ("$(", ")"),
        ("( ", " )"),
        ("{ ", "; }"),
        ("\"$(", ")\""),
        ("if a; then ", "; fi"),
        ("<(", ")"),
        ("${a:-", "}"),
    ] {
        let complete = is_quick(format!("{}rm -rf /{}", open.repeat(1000), close.repeat(1000)));
        assert!(!complete, "{open}");
    }
    is_quick(format!("{}x{}", "eval $(".repeat(14), ")".repeat(14)));
    let calls: Vec<String> = (0..60).map(|n| format!("f{n}(){{ f{};f{}; }};", n + 1, n + 1)).collect();
    is_quick(calls.concat() + "f0");
    let doubles: Vec<String> = (0..60).map(|n| format!("a{}=$a{n}$a{n};", n + 1)).collect();
    is_quick(doubles.concat());
    is_quick("f(){ f; f; }; f".to_owned());
    is_quick("alias a=a; a; alias b='b;b'; b".to_owned());
}

#[test]
fn a_large_file_written_through_a_here_document_is_followed_to_the_end() {
    assert!(is_quick(format!("cat > x.py <<'EOF'\n{}EOF\npython3 x.py", "print(1)\n".repeat(8000))));
    assert!(is_quick(format!("cat > x.txt <<EOF\n{}EOF", "some text, $X\n".repeat(4000))));
}

#[test]
fn what_is_too_deep_is_still_read_flatly() {
    let text = format!("{}rm -rf /{}", "$(".repeat(100), ")".repeat(100));
    let analysis = analyze(&CommandLine::Command(text), &Surroundings::default());
    assert!(!analysis.complete);
    assert!(analysis.components.iter().any(|c| c.argv == ["rm", "-rf", "/"]));
}

#[test]
fn options_behind_a_host_and_programs_in_variables_end() {
    is_quick("((((ssh h - --forle /execrle".to_owned());
    let names: Vec<String> = (0..8).map(|n| format!("f{n}")).collect();
    let functions: Vec<String> = names.iter().map(|name| format!("{name}() {{ $a; $a x; }}; ")).collect();
    let functions = functions.concat();
    is_quick(format!("{functions} for a in {}; do $a; done", names.join(" ")));
}

#[test]
fn values_of_inline_code_that_grow_stay_small() {
    for (start, step) in [
        ("x = 'aaaaaaaa'", "x = x + x"),
        ("x = ['a']", "x = [x, x]"),
        ("x = {'a': 'b'}", "x = {'a': x, 'b': x}"),
        ("x = 'aaaaaaaa'", "x = '%s%s' % (x, x)"),
        ("x = 'aaaaaaaa'", "x = '{}{}'.format(x, x)"),
        ("x = 'aaaaaaaa'", "x = f'{x}{x}'"),
        ("x = 'aaaaaaaa'", "x = ''.join([x, x])"),
        ("x = ['a']", "x = list(zip(x, x, x))"),
        ("x = ['a', 'b', 'c']", "x = [x for y in x]"),
        ("x = ['a', 'b', 'c']", "x = [*x, *x]"),
        (
            "x = list('abcdefgh')",
            "x = [[[[a for a in (1, 2, 3, 4)] for b in (1, 2, 3, 4)] for c in (1, 2, 3, 4)] for d in x]",
        ),
        ("def f(a): return a + a\nx = 'aaaa'", "x = f(x)"),
        ("def f(a): return [a, a]\nx = ['aaaa']", "x = f(x)"),
    ] {
        let code = format!("{start}\n{}", format!("{step}\n").repeat(60));
        is_quick(format!("python3 - <<'E'\n{code}print(x)\nE\n"));
    }
    is_quick(format!("node -e 'let x = \"aaaaaaaa\";{}'", "x = `${x}${x}`;".repeat(60)));
    let mut makefile = "A0 = a\nall: ; echo $(A40)\n".to_owned();
    for n in 1..=40 {
        let _ = writeln!(makefile, "A{n} = $(A{m})$(A{m})", m = n - 1);
    }
    is_quick(format!("make -f - <<'E'\n{makefile}E\n"));
}
