// A call judged by the rules in force, with why. Nothing is called, nothing is recorded.

import type { Signal } from "@preact/signals";
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { send, type Decision } from "../../api.ts";
import { useKeys } from "../../keys.ts";
import { Effects, rulePlace } from "../../ui/details.tsx";
import { Line } from "../../ui/text.tsx";
import { Facts, Trouble, Word } from "../../ui/words.tsx";
import { KINDS, params, type Kind } from "../../words/calls.ts";
import type { AuditRecord } from "../../words/records.ts";

type Props = { kind: Signal<Kind>; text: Signal<string>; call: AuditRecord | undefined; propose: () => void };
type Tried = { kind: Kind; text: string; decision: Decision };

/** Calls that stay in sight below the newest. */
const REMEMBERED = 6;

export function Try({ kind, text, call, propose }: Props) {
  const tried = useSignal<Tried[]>([]);
  const error = useSignal<unknown>(undefined);
  const busy = useSignal(false);
  const input = useRef<HTMLTextAreaElement>(null);
  useKeys({ "/": () => input.current?.focus() });
  const judge = async () => {
    const made = params(kind.value, text.value);
    if (typeof made === "string") {
      error.value = new Error(made);
      return;
    }
    busy.value = true;
    error.value = undefined;
    try {
      const { agent = "", workspace } = call?.actor ?? {};
      const decision = await send<Decision>("POST", "/v1/test", { tool: kind.value, params: made, agent, ...(workspace ? { workspace } : {}) });
      tried.value = [{ kind: kind.value, text: text.value, decision }, ...tried.value.filter((before) => before.text !== text.value)].slice(0, REMEMBERED);
    } catch (failed) {
      error.value = failed;
    }
    busy.value = false;
  };
  useEffect(() => {
    if (text.value) void judge();
    else input.current?.focus();
  }, []);
  const [now, ...before] = tried.value;
  const hint = KINDS.find(([name]) => name === kind.value)?.[2] ?? "";
  return (
    <section class="sheet">
      <h2>Judge a call</h2>
      <form
        class="bar"
        onSubmit={(event) => {
          event.preventDefault();
          void judge();
        }}
      >
        <label>
          <span class="hidden">kind of call</span>
          <select value={kind.value} onChange={(event) => (kind.value = event.currentTarget.value as Kind)}>
            {KINDS.map(([name, title]) => (
              <option value={name}>{title}</option>
            ))}
          </select>
        </label>
        <label class="grow">
          <span class="hidden">the call</span>
          <textarea
            ref={input}
            rows={text.value.includes("\n") ? 5 : 1}
            spellcheck={false}
            placeholder={hint}
            value={text.value}
            onInput={(event) => (text.value = event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key === "Enter" && !event.shiftKey) {
                event.preventDefault();
                void judge();
              } else if (event.key === "Escape") event.currentTarget.blur();
            }}
          />
        </label>
        <button type="submit" disabled={busy.value}>
          Judge <kbd>↵</kbd>
        </button>
      </form>
      <Trouble error={error.value} />
      <div role="status">
        {now && (
          <div class="judged">
            <p class="verdict">
              <Word outcome={now.decision.decision} /> <Line text={now.decision.message || now.decision.reason} limit={600} />
            </p>
            <Facts
              facts={[
                ["Rule", now.decision.rule ? rulePlace(now.decision.rule) : now.decision.reason],
                ["Policies that matched", now.decision.matched_policies.join(", ")],
                ["Took", `${now.decision.micros.toLocaleString("en")} µs`],
              ]}
            />
            <Effects effects={now.decision.effects} />
            {now.decision.suggestions.length > 0 && (
              <p class="operand">
                <span class="dim">A person could say</span> <Line text={now.decision.suggestions[0] ?? ""} limit={400} />
              </p>
            )}
            <p class="actions">
              <button type="button" onClick={propose}>
                Propose a rule for this
              </button>
            </p>
          </div>
        )}
      </div>
      {before.length > 0 && (
        <ul class="before">
          {before.map((one) => (
            <li>
              <button type="button" class="quiet" onClick={() => { kind.value = one.kind; text.value = one.text; void judge(); }}>
                <Word outcome={one.decision.decision} /> <span class="mono"><Line text={one.text} limit={120} /></span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
