// What would have come of it: a rule or a policy tried on the calls on record, before anything is written.

import { useSignal } from "@preact/signals";
import { may, send, type Added } from "../../api.ts";
import { Line } from "../../ui/text.tsx";
import { Time, Trouble, Word } from "../../ui/words.tsx";
import { pattern, type Kind } from "../../words/calls.ts";
import type { AuditRecord, Outcome } from "../../words/records.ts";

type Replayed = {
  calls: number;
  differ: number;
  distinct: number;
  changes: { from: Outcome; to: Outcome; calls: number }[];
  differences: { seq: number; at: string; agent: string; tool: string; subject: string; from: Outcome; to: Outcome; rule: string; calls: number }[];
  left_out: Record<string, { calls: number }>;
  responses: number;
};

const TIMES: [string, string][] = [["24h", "the last day"], ["7d", "the last week"], ["30d", "the last month"], ["", "all calls on record"]];
const LASTS: [string, number | undefined][] = [["always", undefined], ["for an hour", 3600], ["for a day", 86_400], ["for a week", 604_800]];

type ProposeProps = { kind: Kind; text: string; call: AuditRecord | undefined; done: () => void };

/** A rule for a call: previewed first, then written. */
export function Propose({ kind, text, call, done }: ProposeProps) {
  const action = useSignal("allow");
  const about = useSignal(pattern(kind, text));
  const lasts = useSignal(0);
  const once = useSignal(false);
  const message = useSignal("");
  const since = useSignal("7d");
  const preview = useSignal<{ added: Added; replayed: Replayed; of: string } | undefined>(undefined);
  const error = useSignal<unknown>(undefined);
  const said = useSignal("");
  const busy = useSignal(false);
  const rule = () => {
    const seconds = LASTS[lasts.value]?.[1];
    return {
      action: action.value,
      tool: kind,
      pattern: about.value,
      once: once.value,
      ...(message.value ? { message: message.value } : {}),
      ...(seconds ? { lasts_s: seconds } : {}),
      ...(call?.actor?.workspace ? { workspace: call.actor.workspace } : {}),
    };
  };
  const attempt = async (work: () => Promise<void>) => {
    busy.value = true;
    error.value = undefined;
    said.value = "";
    try {
      await work();
    } catch (failed) {
      error.value = failed;
    }
    busy.value = false;
  };
  const look = () =>
    attempt(async () => {
      preview.value = undefined;
      const of = JSON.stringify(rule());
      const added = await send<Added>("POST", "/v1/rules", { ...rule(), preview: true });
      const replayed = await send<Replayed>("POST", "/v1/policy/what-if", { rule: rule(), ...(since.value ? { since: since.value } : {}) });
      preview.value = { added, replayed, of };
    });
  const write = () =>
    attempt(async () => {
      const added = await send<Added>("POST", "/v1/rules", rule());
      preview.value = undefined;
      said.value = added.existed ? `That is rule ${added.number} already.` : `Written as rule ${added.number}, and in force: ${added.rules} rules now.`;
      done();
    });
  // What was looked at is what is written.
  const looked = preview.value?.of === JSON.stringify(rule());
  return (
    <section class="sheet">
      <h2>A rule of your own</h2>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void look();
        }}
      >
        <div class="bar">
          <label>
            <span class="hidden">action</span>
            <select value={action.value} onChange={(event) => (action.value = event.currentTarget.value)}>
              {["allow", "ask", "deny"].map((word) => (
                <option>{word}</option>
              ))}
            </select>
          </label>
          <span class="dim">{kind}</span>
          <label class="grow">
            <span class="hidden">pattern; * stands for any text</span>
            <textarea class="mono" rows={1} spellcheck={false} value={about.value} onInput={(event) => (about.value = event.currentTarget.value)} />
          </label>
        </div>
        <div class="bar">
          <label>
            <span class="hidden">how long</span>
            <select value={String(lasts.value)} onChange={(event) => (lasts.value = Number(event.currentTarget.value))}>
              {LASTS.map(([title], nth) => (
                <option value={String(nth)}>{title}</option>
              ))}
            </select>
          </label>
          <label class="check">
            <input type="checkbox" checked={once.value} onChange={(event) => (once.value = event.currentTarget.checked)} /> one call only
          </label>
          <label class="grow">
            <span class="hidden">what to tell the agent</span>
            <input placeholder="what to tell the agent (may be left empty)" value={message.value} onInput={(event) => (message.value = event.currentTarget.value)} />
          </label>
        </div>
        <div class="bar">
          <span class="dim">
            <code>*</code> stands for any text, <code>\*</code> for a star.
          </span>
          <span class="grow" />
          <Since since={since.value} set={(value) => (since.value = value)} />
          <button type="submit" disabled={busy.value}>
            Preview
          </button>
          <button type="button" class="allow" disabled={busy.value || !looked || !may("admin")} title={may("admin") ? "look at the preview first" : "your login may not write rules"} onClick={() => void write()}>
            Write it
          </button>
        </div>
      </form>
      <Trouble error={error.value} />
      <div role="status">
        {said.value && <p class="good">{said.value}</p>}
        {preview.value?.added.existed && <p class="warning">There is such a rule already: number {preview.value.added.number}.</p>}
        {[...(preview.value?.added.notes ?? []), ...(preview.value?.added.warnings ?? [])].map((note) => (
          <p class="warning">
            <Line text={note} limit={800} />
          </p>
        ))}
        {preview.value && <Differences replayed={preview.value.replayed} />}
      </div>
    </section>
  );
}

/** The text of a policy, tried on the calls on record. */
export function WhatIfPolicy() {
  const text = useSignal("");
  const since = useSignal("7d");
  const replayed = useSignal<Replayed | undefined>(undefined);
  const error = useSignal<unknown>(undefined);
  const busy = useSignal(false);
  const look = async () => {
    busy.value = true;
    error.value = undefined;
    replayed.value = undefined;
    try {
      replayed.value = await send<Replayed>("POST", "/v1/policy/what-if", { policy: text.value, ...(since.value ? { since: since.value } : {}) });
    } catch (failed) {
      error.value = failed;
    }
    busy.value = false;
  };
  return (
    <section class="sheet">
      <h2>What if</h2>
      <p class="dim">A policy beside those in force, tried on the calls on record. Nothing is written, nothing is called.</p>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void look();
        }}
      >
        <label>
          <span class="hidden">policy</span>
          <textarea
            rows={9}
            spellcheck={false}
            placeholder={'version: "1"\npolicies:\n  - name: no-installs\n    match: {tool: exec}\n    rules:\n      - action: ask\n        when: {command_matches: ["npm install *"]}\n        message: Ask before installing'}
            value={text.value}
            onInput={(event) => (text.value = event.currentTarget.value)}
          />
        </label>
        <div class="bar">
          <span class="grow" />
          <Since since={since.value} set={(value) => (since.value = value)} />
          <button type="submit" disabled={busy.value || text.value.trim() === ""}>
            {busy.value ? "Judging again …" : "What if"}
          </button>
        </div>
      </form>
      <Trouble error={error.value} />
      <div role="status">{replayed.value && <Differences replayed={replayed.value} />}</div>
    </section>
  );
}

function Since({ since, set }: { since: string; set: (since: string) => void }) {
  return (
    <label>
      <span class="dim">tried on</span>{" "}
      <select value={since} onChange={(event) => set(event.currentTarget.value)}>
        {TIMES.map(([value, title]) => (
          <option value={value}>{title}</option>
        ))}
      </select>
    </label>
  );
}

function Differences({ replayed }: { replayed: Replayed }) {
  const left = Object.entries(replayed.left_out).map(([why, { calls }]) => `${calls.toLocaleString("en")} ${why}`);
  return (
    <div class="differences">
      <p>
        <b>{replayed.differ.toLocaleString("en")}</b> of {replayed.calls.toLocaleString("en")} calls would be decided differently.
        {left.length > 0 && <span class="dim"> Left out: {left.join(", ")}.</span>}
      </p>
      {replayed.changes.map((change) => (
        <p>
          <Word outcome={change.from} /> → <Word outcome={change.to} /> {change.calls.toLocaleString("en")}
        </p>
      ))}
      {replayed.differences.length > 0 && (
        <table class="plain">
          <caption>
            The calls, alike ones once{replayed.distinct > replayed.differences.length ? `: ${replayed.differences.length} of ${replayed.distinct}` : ""}
          </caption>
          <tbody>
            {replayed.differences.map((one) => (
              <tr key={one.seq}>
                <td class="dim"><Time at={one.at} /></td>
                <td class="change"><Word outcome={one.from} /> → <Word outcome={one.to} /></td>
                <td class="mono"><Line text={one.subject} limit={160} />{one.calls > 1 && <span class="dim"> ×{one.calls.toLocaleString("en")}</span>}</td>
                <td class="dim"><Line text={one.agent} limit={40} /></td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}
