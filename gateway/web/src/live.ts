// What happens, as it happens: the newest records, how many a second, and what waits for an answer.

import { batch, signal } from "@preact/signals";
import { get, type Events, type Question } from "./api.ts";
import { follow, type Standing } from "./stream.ts";
import { TOLD, type AuditRecord } from "./words/records.ts";

/** Records that are kept; older ones are in the history. */
const KEPT = 1000;
/** A single record is shown at once. The next ones are taken over together after a while, and a flood after a longer one:
 * nobody reads it, and each row costs. */
const APART_MS = 200;
const FLOOD_APART_MS = 500;
/** Records that are a flood when they come together. */
const FLOOD = 50;
/** Seconds that the rate is shown for. */
export const SECONDS = 60;

/** Newest first. */
export const records = signal<readonly AuditRecord[]>([]);
export const standing = signal<Standing>("connecting");
export const questions = signal<readonly Question[]>([]);
/** When the questions were told, in the browser's own time: from then they count down. */
export const questionsAt = signal(0);
/** Calls and denials of the last seconds, the newest last. */
export const rate = signal<readonly { calls: number; denied: number }[]>([]);
/** Records taken in since the page was opened. */
export const seen = signal(0);

let waiting: AuditRecord[] = [];
let taken = 0;
let apart = APART_MS;
let planned = false;

/** Starts once. */
export async function begin() {
  let newest = 0;
  try {
    const { events } = await get<Events>("/v1/audit/events", { type: TOLD.join(","), limit: "300" });
    records.value = events;
    newest = events[0]?.seq ?? 0;
  } catch {
    // The stream brings what comes, and says how the gateway is.
  }
  void ask();
  setInterval(tick, 1000);
  void follow(newest, arrived, (now) => {
    if (now === "live" && standing.value !== "live") void ask();
    standing.value = now;
  });
}

function arrived(data: string) {
  const record = JSON.parse(data) as AuditRecord;
  if (!TOLD.includes(record.type)) return;
  waiting.push(record);
  // A page that nobody looks at takes nothing over, and must not grow for it.
  if (waiting.length > 2 * KEPT) waiting = waiting.slice(-KEPT);
  count(record);
  if (record.type === "approval") soon();
  plan();
}

function plan() {
  if (planned) return;
  planned = true;
  const take = () => {
    planned = false;
    taken = performance.now();
    apart = waiting.length > FLOOD ? FLOOD_APART_MS : APART_MS;
    const fresh = waiting.reverse();
    waiting = [];
    batch(() => {
      seen.value += fresh.length;
      records.value = fresh.length >= KEPT ? fresh.slice(0, KEPT) : [...fresh, ...records.value.slice(0, KEPT - fresh.length)];
    });
  };
  setTimeout(() => (document.hidden ? take() : requestAnimationFrame(take)), Math.max(0, taken + apart - performance.now()));
}

let now = { calls: 0, denied: 0 };

function count(record: AuditRecord) {
  if (record.type !== "decision") return;
  now.calls += 1;
  if (record.outcome === "deny") now.denied += 1;
}

function tick() {
  rate.value = [...rate.value.slice(1 - SECONDS), now];
  now = { calls: 0, denied: 0 };
}

let asking: ReturnType<typeof setTimeout> | undefined;

function soon() {
  asking ??= setTimeout(() => {
    asking = undefined;
    void ask();
  }, 50);
}

/** Asks what waits. */
export async function ask() {
  try {
    const now = await get<Question[]>("/v1/approvals");
    batch(() => {
      questions.value = now;
      questionsAt.value = performance.now();
    });
  } catch {
    // The connection's state is shown beside the tabs.
  }
}
