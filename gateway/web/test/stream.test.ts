import assert from "node:assert/strict";
import { test } from "node:test";
import { Events } from "../src/stream.ts";

test("events are the same however the bytes come", () => {
  const text = 'id: 7\nevent: record\ndata: {"a":1}\n\n: alive\n\nid: 8\nevent: record\ndata: {"b":2}\n\nid: 9\nda';
  const whole = new Events().feed(text);
  assert.deepEqual(whole, [{ id: "7", data: '{"a":1}' }, { id: "8", data: '{"b":2}' }]);
  for (let at = 1; at < text.length; at += 1) {
    const events = new Events();
    assert.deepEqual([...events.feed(text.slice(0, at)), ...events.feed(text.slice(at))], whole);
  }
});
