import assert from "node:assert/strict";
import { test } from "node:test";
import { line, params, pattern, type Kind } from "../src/words/calls.ts";
import { operands, saying, subject, type Action, type AuditRecord } from "../src/words/records.ts";

test("what an action is about is said as the gateway says it", () => {
  const table: [Action, string][] = [
    [{ type: "exec", command: "a b" }, "a b"],
    [{ type: "exec", argv: ["git", "commit", "-m", "it's $x", "", "~a"] }, "git commit -m 'it'\\''s $x' '' '~a'"],
    [{ type: "read", paths: [{ path: "a" }, { path: "b" }] }, "a b"],
    [{ type: "fetch", method: "POST", url: "https://x.io" }, "POST https://x.io"],
    [{ type: "connect", host: "x.io", port: 22 }, "x.io:22"],
    [{ type: "mcp", server: "github", method: "tools/call", tool: "create" }, "github/create"],
    [{ type: "mcp", server: "", method: "tools/list", tool: "" }, "tools/list"],
    [{ type: "tool", name: "Browser" }, "Browser"],
  ];
  for (const [action, shown] of table) assert.equal(subject(action), shown);
  const written = operands({ type: "write", paths: [{ path: "~/a", resolved: "/home/a" }], content: "x" });
  assert.deepEqual(written, [["really", "/home/a"], ["content", "x"]]);
});

test("a call is read from one line, and a rule is about exactly it", () => {
  const table: [Kind, string, unknown, string][] = [
    ["exec", " ls *.rs ", { command: "ls *.rs" }, "ls \\*.rs"],
    ["read", "~/.ssh/id_rsa", { path: "~/.ssh/id_rsa" }, "~/.ssh/id_rsa"],
    ["fetch", "https://x.io/a", { url: "https://x.io/a" }, "https://x.io/a"],
    ["fetch", "POST https://x.io/a", { method: "POST", url: "https://x.io/a" }, "https://x.io/a"],
    ["connect", "x.io:22", { host: "x.io", port: 22 }, "x.io"],
    ["mcp", 'a/b {"c": 1}', { server: "a", tool: "b", arguments: { c: 1 } }, "a/b"],
    ["mcp", "a/b", { server: "a", tool: "b" }, "a/b"],
  ];
  for (const [kind, text, made, exact] of table) {
    assert.deepEqual(params(kind, text), made);
    assert.equal(pattern(kind, text), exact);
  }
  for (const [kind, text] of [["exec", "  "], ["mcp", "a"], ["mcp", "a/b {c}"], ["fetch", "a b c"]] as [Kind, string][]) {
    assert.equal(typeof params(kind, text), "string");
    assert.equal(pattern(kind, text), "");
  }
  assert.deepEqual(line({ type: "fetch", method: "GET", url: "https://x.io" }), ["fetch", "GET https://x.io"]);
  assert.equal(line({ type: "read", paths: [{ path: "a" }, { path: "b" }] }), undefined);
});

test("what is no decision is said in one line", () => {
  const record = { seq: 9, type: "approval", at: "", h: "", event: "granted", decision: 7, by: "ann", from: "cli", scope: "1h", id: "q1" };
  assert.equal(saying(record as AuditRecord), "granted · record 7 · 1h · by ann from cli · q1");
});
