import assert from "node:assert/strict";
import { test } from "node:test";
import { cut, escapes, oneLine, pieces, plain } from "../src/words/shown.ts";

test("what is hidden shows and stays in one line, as the gateway shows it", () => {
  const table: [string, string][] = [
    ["ls\u001b[2K\r", "ls\\u{1b}[2K\\u{d}"],
    ["a\nb\tc", "a⏎b⇥c"],
    ["echo \u202efdp", "echo \\u{202e}fdp"],
    ["rm\u200b -rf", "rm\\u{200b} -rf"],
    ["curl https://\u0430pple.com/ü", "curl https://\\u{430}pple.com/\\u{fc}"],
    ["ssh \u0430\u0440\u0440\u04cf\u0435.com", "ssh \\u{430}\\u{440}\\u{440}\\u{4cf}\\u{435}.com"],
    ["curl evil\uff0eexample\u2215x.io", "curl evil\\u{ff0e}example\\u{2215}x.io"],
    ["echo Grüße привет 日本", "echo Grüße привет 日本"],
    ["a\u{e0041}\ufe0f\u009b", "a\\u{e0041}\\u{fe0f}\\u{9b}"],
    ["half \ud800 a pair", "half \\u{d800} a pair"],
    ["<img src=x onerror=1>", "<img src=x onerror=1>"],
  ];
  for (const [text, shown] of table) assert.equal(oneLine(text, 100), shown);
});

test("escapes are told apart from a text that only looks like one", () => {
  assert.deepEqual(pieces("\\u{202e}\u202e"), [
    { text: "\\u{202e}", escaped: false },
    { text: "\\u{202e}", escaped: true },
  ]);
  assert.deepEqual(escapes('"a\\u202e\\u0041b"').map(({ escaped }) => escaped), [false, true, false]);
});

test("the end of a long text stays in sight", () => {
  const text = `echo ${"é😀".repeat(300_000)} && rm -rf /`;
  const shown = oneLine(text, 60);
  assert.ok(shown.startsWith("echo é") && shown.endsWith(" && rm -rf /"), shown);
  assert.ok(shown.includes("characters left out") && !shown.includes("\\u{d8"), shown);
  const [head, left, tail] = cut(text, 61);
  assert.equal(head.length + left + tail.length, text.length);
});

test("a megabyte of nothing but characters that hide takes no time", () => {
  const began = performance.now();
  plain(`https://x/${"\u202e".repeat(50_000)} ${"\u0430a".repeat(50_000)}`);
  assert.ok(performance.now() - began < 2000);
});
