// What agents do, as they do it.

import { useSignal } from "@preact/signals";
import { useMemo, useRef } from "preact/hooks";
import { useKeys } from "../keys.ts";
import { rate, records, SECONDS } from "../live.ts";
import { Details } from "../ui/details.tsx";
import { Rows } from "../ui/rows.tsx";
import { Nothing } from "../ui/words.tsx";
import { decidedBy, saying, subject, type AuditRecord } from "../words/records.ts";

/** Rows that are shown; the keeping is longer. */
const ROWS = 200;
const DECISIONS = ["", "stopped", "deny", "ask", "watch", "allow"];

function admits(record: AuditRecord, decision: string, words: string[]): boolean {
  if (decision === "stopped" ? !["deny", "ask", "webhook"].includes(record.outcome ?? "") : decision && record.outcome !== decision) {
    return false;
  }
  if (words.length === 0) return true;
  const { actor = {} } = record;
  const text = [record.tool, actor.agent, actor.session, actor.surface, decidedBy(record), subject(record.action), saying(record)];
  const all = text.join("\n").toLowerCase();
  return words.every((word) => all.includes(word));
}

export function Live() {
  const held = useSignal<readonly AuditRecord[] | undefined>(undefined);
  const chosen = useSignal<AuditRecord | undefined>(undefined);
  const decision = useSignal("");
  const text = useSignal("");
  const search = useRef<HTMLInputElement>(null);
  const pause = () => (held.value = held.value ? undefined : records.value);
  useKeys({ p: pause, " ": pause, "/": () => search.current?.focus() });
  const all = held.value ?? records.value;
  const shown = useMemo(() => {
    const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const out: AuditRecord[] = [];
    for (const record of all) {
      if (admits(record, decision.value, words)) out.push(record);
      if (out.length === ROWS) break;
    }
    return out;
  }, [all, decision.value, text.value]);
  return (
    <div class={chosen.value ? "split open" : "split"}>
      <div class="list">
        <form class="bar" role="search" onSubmit={(event) => event.preventDefault()}>
          <label class="grow">
            <span class="hidden">Search what is shown</span>
            <input
              ref={search}
              type="search"
              placeholder="Search what is shown ( / )"
              value={text.value}
              onInput={(event) => (text.value = event.currentTarget.value)}
              onKeyDown={(event) => event.key === "Escape" && event.currentTarget.blur()}
            />
          </label>
          <label>
            <span class="hidden">Decision</span>
            <select value={decision.value} onChange={(event) => (decision.value = event.currentTarget.value)}>
              {DECISIONS.map((word) => (
                <option value={word}>{word || "every decision"}</option>
              ))}
            </select>
          </label>
          <button type="button" aria-pressed={held.value !== undefined} onClick={pause}>
            {held.value ? "Go on" : "Hold"}
          </button>
          <Rate />
        </form>
        {shown.length > 0 ? (
          <Rows records={shown} chosen={chosen.value} choose={(record) => (chosen.value = record)} label="what agents do, newest first" />
        ) : all.length === 0 ? (
          <Nothing>
            Nothing has happened yet. <code>rampart setup</code> makes an agent ask here, <code>rampart test exec 'ls'</code> tries the rules.
          </Nothing>
        ) : (
          <Nothing>Nothing of the last {all.length} records is so. The history goes further back.</Nothing>
        )}
      </div>
      {chosen.value && <Details record={chosen.value} close={() => (chosen.value = undefined)} />}
    </div>
  );
}

/** Calls a second over the last minute, what was denied below. */
function Rate() {
  const all = rate.value;
  const most = Math.max(4, ...all.map((second) => second.calls));
  const height = 22;
  const bar = (n: number) => Math.round((n / most) * height * 10) / 10;
  const last = all.slice(-5);
  const mean = last.length === 0 ? 0 : last.reduce((sum, second) => sum + second.calls, 0) / last.length;
  const denied = all.reduce((sum, second) => sum + second.denied, 0);
  const said = `${mean < 10 ? mean.toFixed(1) : Math.round(mean).toLocaleString("en")} calls/s, ${denied.toLocaleString("en")} denied in the last minute`;
  return (
    <span class="rate">
      <svg width={SECONDS * 2} height={height} role="img" aria-label={said}>
        {all.map((second, nth) => (
          <>
            <rect class="calls" x={(SECONDS - all.length + nth) * 2} width="1.5" y={height - bar(second.calls)} height={bar(second.calls)} />
            <rect class="denied" x={(SECONDS - all.length + nth) * 2} width="1.5" y={height - bar(second.denied)} height={bar(second.denied)} />
          </>
        ))}
      </svg>
      <span class="said">{said}</span>
    </span>
  );
}
