// Questions that wait for a person: what exactly would run, and one key or tap for each answer.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { may, send, told, type Question, type Resolved } from "../api.ts";
import { useKeys } from "../keys.ts";
import { ask, questions, questionsAt } from "../live.ts";
import { Effects, rulePlace } from "../ui/details.tsx";
import { Block, Line } from "../ui/text.tsx";
import { Facts, lasting, Nothing, Time } from "../ui/words.tsx";
import { oneLine } from "../words/shown.ts";

type Answer = { id: string; text: string; good: boolean };

const WHILES = ["15m", "1h", "8h", "7d"];
/** A key counts for what has stood under the eyes of whoever presses it for so long. */
const LOOK_MS = 400;

export function Approvals() {
  const chosen = useSignal<string | undefined>(undefined);
  const since = useRef(0);
  const whiles = useSignal("1h");
  const answers = useSignal<Answer[]>([]);
  const denying = useSignal<string | undefined>(undefined);
  const busy = useSignal<string | undefined>(undefined);
  const list = questions.value;
  const current = list.find((question) => question.id === chosen.value) ?? list[0];
  useEffect(() => {
    since.current = performance.now();
    denying.value = undefined;
  }, [current?.id]);

  const answer = async (question: Question, approve: boolean, scope: string, reason: string) => {
    if (busy.value) return;
    busy.value = question.id;
    const what = oneLine(question.subject, 80);
    let said: Answer;
    try {
      const body = { approve, scope, reason, payload: question.payload };
      const done = await send<Resolved>("POST", `/v1/approvals/${question.id}/resolve`, body);
      said = { id: question.id, good: true, text: `${outcome(approve, scope, done)}: ${what}` };
    } catch (error) {
      said = { id: question.id, good: false, text: `Not answered, ${told(error)}: ${what}` };
    }
    busy.value = undefined;
    denying.value = undefined;
    answers.value = [said, ...answers.value].slice(0, 8);
    await ask();
  };
  const looked = (act: (question: Question) => void) => () => {
    if (current && performance.now() - since.current > LOOK_MS) act(current);
  };
  const step = (by: number) => {
    const at = list.findIndex((question) => question.id === current?.id);
    chosen.value = list[Math.min(list.length - 1, Math.max(0, at + by))]?.id;
  };
  useKeys({
    j: () => step(1),
    k: () => step(-1),
    ArrowDown: () => step(1),
    ArrowUp: () => step(-1),
    a: looked((question) => void answer(question, true, "once", "")),
    w: looked((question) => void answer(question, true, whiles.value, "")),
    A: looked((question) => void answer(question, true, "always", "")),
    d: looked((question) => (denying.value = question.id)),
    Escape: () => (denying.value = undefined),
  });

  return (
    <div class="approvals">
      <h2 class="hidden">What waits for an answer</h2>
      {list.length === 0 && <Nothing>Nothing waits for an answer.</Nothing>}
      {list.map((question) => (
        <Card
          key={question.id}
          question={question}
          chosen={question.id === current?.id}
          choose={() => (chosen.value = question.id)}
          whiles={whiles.value}
          setWhiles={(text) => (whiles.value = text)}
          denying={denying.value === question.id}
          deny={(yes) => (denying.value = yes ? question.id : undefined)}
          busy={busy.value === question.id}
          answer={(approve, scope, reason) => void answer(question, approve, scope, reason)}
        />
      ))}
      <div role="status" class="answers">
        {answers.value.map((said) => (
          <p class={said.good ? "good" : "trouble"}>{said.text}</p>
        ))}
      </div>
    </div>
  );
}

function outcome(approve: boolean, scope: string, done: Resolved): string {
  if (!approve) return "Denied";
  if (done.missing > 0) return `You agreed; ${done.missing} more must`;
  if (done.unwritten) return `Allowed once, but no rule was written (${done.unwritten})`;
  if (scope === "once") return "Allowed once";
  return scope === "always" ? "Allowed, from now on always" : `Allowed for ${scope}`;
}

type CardProps = {
  question: Question;
  chosen: boolean;
  choose: () => void;
  whiles: string;
  setWhiles: (text: string) => void;
  denying: boolean;
  deny: (yes: boolean) => void;
  busy: boolean;
  answer: (approve: boolean, scope: string, reason: string) => void;
};

function Card({ question, chosen, choose, whiles, setWhiles, denying, deny, busy, answer }: CardProps) {
  const card = useRef<HTMLElement>(null);
  const reason = useSignal("");
  useEffect(() => {
    if (chosen) card.current?.scrollIntoView({ block: "nearest" });
  }, [chosen]);
  const { call, judgement } = question;
  const { origin } = call;
  const several = question.approvals > 1;
  const rules = may("admin") && !several;
  const noRule = several ? "this needs several people each time" : "your login may not write rules";
  return (
    <article ref={card} class="card" aria-current={chosen} onClick={choose} onFocusIn={choose} aria-busy={busy}>
      <header>
        <h3>
          <Line text={origin.agent || origin.surface} limit={60} /> <span class="dim">asks to {verb(call.action.type)}</span>
        </h3>
        <Countdown question={question} />
      </header>
      <p class="message">
        <Line text={judgement.message} limit={600} />
      </p>
      <Block text={question.subject} label="what exactly would happen" />
      {(question.details ?? []).map(({ name, text }) =>
        text.length < 120 && !text.includes("\n") ? (
          <p class="operand">
            <span class="dim">{name}</span> <Line text={text} />
          </p>
        ) : (
          <>
            <h4>{name}</h4>
            <Block text={text} label={name} limit={2000} />
          </>
        ),
      )}
      <div class="answer">
        <button type="button" class="allow" disabled={busy || !may("approve")} onClick={() => answer(true, "once", "")}>
          Allow once {chosen && <kbd>a</kbd>}
        </button>
        <span class="joined">
          <button type="button" disabled={busy || !rules} title={rules ? "" : noRule} onClick={() => answer(true, whiles, "")}>
            Allow for {chosen && <kbd>w</kbd>}
          </button>
          <label>
            <span class="hidden">for how long</span>
            <select value={whiles} disabled={!rules} onChange={(event) => setWhiles(event.currentTarget.value)}>
              {WHILES.map((text) => (
                <option value={text}>{text}</option>
              ))}
            </select>
          </label>
        </span>
        <button type="button" disabled={busy || !rules} title={rules ? "" : noRule} onClick={() => answer(true, "always", "")}>
          Always {chosen && <kbd>⇧A</kbd>}
        </button>
        <button type="button" class="deny" disabled={busy || !may("approve")} aria-expanded={denying} onClick={() => deny(!denying)}>
          Deny {chosen && <kbd>d</kbd>}
        </button>
      </div>
      {denying && (
        <form
          class="reason"
          onSubmit={(event) => {
            event.preventDefault();
            answer(false, "once", reason.value);
          }}
        >
          <label class="grow">
            Why (the agent is told; may be left empty)
            <input
              autoFocus
              ref={(input) => input?.focus()}
              maxLength={500}
              autoComplete="off"
              value={reason.value}
              onInput={(event) => (reason.value = event.currentTarget.value)}
              onKeyDown={(event) => event.key === "Escape" && deny(false)}
            />
          </label>
          <button type="submit" class="deny" disabled={busy}>
            Deny <kbd>↵</kbd>
          </button>
        </form>
      )}
      <details>
        <summary>Why it was asked, and what it would do</summary>
        <Facts
          facts={[
            ["Rule", judgement.rule ? rulePlace(judgement.rule) : judgement.reason],
            ["Road", origin.surface],
            ["Session", `${origin.session}${origin.claimed ? " (claimed)" : ""}`],
            ["Project", origin.workspace ?? ""],
            ["Asked", <Time at={question.asked} />],
            ["People", several ? `${question.approvals} must agree; so far ${(question.agreed ?? []).join(", ") || "nobody"}` : ""],
            ["Question", question.id],
          ]}
        />
        <Effects effects={judgement.effects} />
      </details>
    </article>
  );
}

function verb(type: string): string {
  const verbs: Record<string, string> = { exec: "run", fetch: "send", connect: "connect to", mcp: "call", tool: "use" };
  return verbs[type] ?? type;
}

/** How long the question still waits. */
function Countdown({ question }: { question: Question }) {
  const left = useSignal(question.expires_in_ms);
  useEffect(() => {
    const look = () => (left.value = question.expires_in_ms - (performance.now() - questionsAt.value));
    look();
    const timer = setInterval(look, 1000);
    return () => clearInterval(timer);
  }, [question]);
  return (
    <span class={left.value < 20_000 ? "left urgent" : "left"} title={question.expires}>
      {left.value <= 0 ? "expired" : `${lasting(left.value)} left`}
    </span>
  );
}
