// What is on record: searched, followed through one session across all roads, exported.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { get, type Events } from "../api.ts";
import { useKeys } from "../keys.ts";
import { Details } from "../ui/details.tsx";
import { Rows } from "../ui/rows.tsx";
import { Timeline } from "../ui/timeline.tsx";
import { Nothing, Trouble } from "../ui/words.tsx";
import { openedWith } from "../where.ts";
import { TOLD, type AuditRecord } from "../words/records.ts";

const PAGE = "100";
const FORMATS = ["jsonl", "json", "csv", "cef"];

/** What is looked for, by the words that the command line has for it. */
type Wanted = Record<"text" | "decision" | "type" | "tool" | "agent" | "session" | "rule" | "host" | "path" | "since" | "until", string>;
const ALL: Wanted = { text: "", decision: "", type: TOLD.join(","), tool: "", agent: "", session: "", rule: "", host: "", path: "", since: "", until: "" };

const TYPES: [string, string][] = [
  [TOLD.join(","), "calls, answers, changes"],
  ["decision", "decisions"],
  ["result", "responses"],
  ["approval", "approvals"],
  ["policy,config", "policy, configuration"],
  ["auth", "tokens and logins"],
  ["gap,lost,recover", "gaps and losses"],
  ["", "every record"],
];

const FIELDS: [keyof Wanted, string, string][] = [
  ["agent", "Agent", "claude-code"],
  ["session", "Session", ""],
  ["tool", "Tool", "exec, fetch, mcp"],
  ["rule", "Rule", "a policy, or a reason"],
  ["host", "Host", "*.example.com"],
  ["path", "Path", "a file, or a folder"],
  ["since", "Since", "7d, 2026-01-31"],
  ["until", "Until", "1h, 2026-01-31"],
];

export function History() {
  const opened = openedWith.value;
  const wanted = useSignal<Wanted>({ ...ALL, session: opened.session ?? "", host: opened.host ?? "", rule: opened.rule ?? "", decision: opened.decision ?? "" });
  const timeline = useSignal(opened.session !== undefined);
  const found = useSignal<readonly AuditRecord[]>([]);
  const more = useSignal(false);
  const took = useSignal<number | undefined>(undefined);
  const busy = useSignal(false);
  const error = useSignal<unknown>(undefined);
  const chosen = useSignal<AuditRecord | undefined>(undefined);
  const search = useRef<HTMLInputElement>(null);
  const asking = useRef<AbortController | undefined>(undefined);
  useKeys({ "/": () => search.current?.focus() });

  const look = async (on: boolean) => {
    asking.current?.abort();
    const abort = (asking.current = new AbortController());
    const asked: Record<string, string> = { ...wanted.value, limit: timeline.value ? "1000" : PAGE };
    const last = found.value.at(-1);
    if (timeline.value) asked.after = on && last ? String(last.seq) : "0";
    else if (on && last) asked.before = String(last.seq);
    busy.value = true;
    const began = performance.now();
    try {
      const answer = await get<Events>("/v1/audit/events", asked, abort.signal);
      found.value = on ? [...found.value, ...answer.events] : answer.events;
      more.value = answer.more;
      took.value = performance.now() - began;
      error.value = undefined;
      if (!on) chosen.value = undefined;
    } catch (failed) {
      if (abort.signal.aborted) return;
      error.value = failed;
    }
    busy.value = false;
  };
  useEffect(() => {
    void look(false);
    return () => asking.current?.abort();
  }, [timeline.value]);
  const set = (name: keyof Wanted, text: string) => (wanted.value = { ...wanted.value, [name]: text });
  const again = () => void look(false);
  const exported = (format: string) => `/v1/audit/export?${new URLSearchParams(Object.entries({ ...wanted.value, format }).filter(([, text]) => text !== ""))}`;
  const { session } = wanted.value;

  return (
    <div class={chosen.value ? "split open" : "split"}>
      <div class="list">
        <form
          class="sheet search"
          role="search"
          onSubmit={(event) => {
            event.preventDefault();
            again();
          }}
        >
          <div class="bar">
            <label class="grow">
              <span class="hidden">Any text in the record</span>
              <input ref={search} type="search" placeholder="Any text in the record ( / )" value={wanted.value.text} onInput={(event) => set("text", event.currentTarget.value)} />
            </label>
            <label>
              <span class="hidden">Decision</span>
              <select value={wanted.value.decision} onChange={(event) => { set("decision", event.currentTarget.value); again(); }}>
                {["", "deny", "ask", "webhook", "watch", "allow"].map((word) => (
                  <option value={word}>{word || "every decision"}</option>
                ))}
              </select>
            </label>
            <label>
              <span class="hidden">Type of record</span>
              <select value={wanted.value.type} onChange={(event) => { set("type", event.currentTarget.value); again(); }}>
                {TYPES.map(([value, title]) => (
                  <option value={value}>{title}</option>
                ))}
              </select>
            </label>
            <button type="submit" class="first">Search</button>
          </div>
          <details open={matchMedia("(min-width: 44rem)").matches}>
            <summary>More conditions</summary>
            <div class="fields">
            {FIELDS.map(([name, title, hint]) => (
              <label>
                {title}
                <input value={wanted.value[name]} placeholder={hint} autoComplete="off" spellcheck={false} onInput={(event) => set(name, event.currentTarget.value)} />
              </label>
            ))}
            </div>
          </details>
          <div class="bar after">
            <span class="dim" role="status">
              {busy.value ? "reading the trail …" : took.value === undefined ? "" : `${found.value.length}${more.value ? " and more" : ""} records in ${Math.round(took.value)} ms`}
            </span>
            <span class="grow" />
            {session && (
              <button type="button" aria-pressed={timeline.value} onClick={() => (timeline.value = !timeline.value)}>
                Timeline of the session
              </button>
            )}
            <button type="button" class="quiet" onClick={() => { wanted.value = ALL; timeline.value = false; again(); }}>
              Clear
            </button>
            <span class="dim">Export</span>
            {FORMATS.map((format) => (
              <a href={exported(format)} download>
                {format}
              </a>
            ))}
          </div>
          <Trouble error={error.value} />
        </form>
        {found.value.length === 0 ? (
          !busy.value && <Nothing>No record is so.</Nothing>
        ) : timeline.value ? (
          <Timeline records={found.value} chosen={chosen.value} choose={(record) => (chosen.value = record)} />
        ) : (
          <Rows records={found.value} chosen={chosen.value} choose={(record) => (chosen.value = record)} label="records, newest first" />
        )}
        {more.value && (
          <p class="onward">
            <button type="button" disabled={busy.value} onClick={() => void look(true)}>
              {timeline.value ? "Later ones" : "Older ones"}
            </button>
          </p>
        )}
      </div>
      {chosen.value && <Details record={chosen.value} close={() => (chosen.value = undefined)} />}
    </div>
  );
}
