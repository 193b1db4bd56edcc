// One record in whole: why it was decided so, what exactly it was, and what it would have done.

import { useState } from "preact/hooks";
import { decidedBy, operands, saying, subject, target, type AuditRecord, type Effect, type RuleRef } from "../words/records.ts";
import { go } from "../where.ts";
import { Block, Line } from "./text.tsx";
import { Facts, Time, Word } from "./words.tsx";

export function rulePlace(rule: RuleRef | undefined): string {
  if (!rule) return "";
  const index = rule.index === undefined ? "" : `, rule ${rule.index + 1}`;
  return `${rule.policy}${index}${rule.file ? ` (${rule.file}${rule.line ? `:${rule.line}` : ""})` : ""}`;
}

/** What a call would do, as the analysis sees it. */
export function Effects({ effects }: { effects: Effect[] | undefined }) {
  if (!effects || effects.length === 0) return null;
  return (
    <table class="effects">
      <caption>What it would do</caption>
      <thead>
        <tr>
          <th scope="col">effect</th>
          <th scope="col">to what</th>
          <th scope="col">certainty</th>
          <th scope="col">way back</th>
        </tr>
      </thead>
      <tbody>
        {effects.map((effect) => (
          <tr>
            <td>
              {effect.kind}
              {effect.note ? <span class="dim"> {effect.note}</span> : null}
            </td>
            <td class="mono">
              <Line text={target(effect)} />
              {effect.via && effect.via.length > 0 ? <span class="dim"> through <Line text={effect.via.join(" › ")} /></span> : null}
            </td>
            <td>{effect.certainty}</td>
            <td>{effect.reversibility}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function Details({ record, close }: { record: AuditRecord; close?: () => void }) {
  const [raw, setRaw] = useState(false);
  const { actor = {}, action, response } = record;
  const session = actor.session;
  return (
    <section class="details" aria-label={`record ${record.seq}`}>
      <header>
        <h2>
          {record.outcome ? <Word outcome={record.outcome} /> : <span class="word">{record.type}</span>} <span class="dim">record {record.seq}</span>
        </h2>
        {close && (
          <button type="button" class="quiet" onClick={close} aria-label="close the details">
            ✕
          </button>
        )}
      </header>
      {record.message && action ? (
        <p class="message">
          <Line text={record.message} limit={1000} />
        </p>
      ) : null}
      {action ? <Block text={subject(action)} label="what exactly" /> : <Block text={saying(record)} label="what happened" />}
      {action &&
        operands(action).map(([name, text]) =>
          text.length < 100 && !text.includes("\n") ? (
            <p class="operand">
              <span class="dim">{name}</span> <Line text={text} />
            </p>
          ) : (
            <>
              <h3>{name}</h3>
              <Block text={text} label={name} limit={2000} />
            </>
          ),
        )}
      <Facts
        facts={[
          ["When", <Time at={record.at} />],
          ["Agent", actor.agent ?? ""],
          ["Session", session ? `${session}${actor.claimed ? " (claimed)" : ""}` : ""],
          ["Road", actor.surface ?? ""],
          ["Project", actor.workspace ?? ""],
          ["Process", actor.pid ? `${actor.pid}${actor.uid === undefined ? "" : `, user ${actor.uid}`}` : ""],
          ["Rule", record.rule ? rulePlace(record.rule) : decidedBy(record)],
          ["Told", record.verdict && record.verdict !== record.outcome ? `${record.verdict} (mode ${record.mode ?? ""})` : ""],
          ["Response", response ? `${response.status ?? ""} ${(response.bytes ?? 0).toLocaleString("en")} bytes`.trim() : ""],
          ["Took", record.micros ? `${record.micros.toLocaleString("en")} µs` : ""],
        ]}
      />
      <Effects effects={record.effects} />
      <p class="actions">
        {session ? (
          <button type="button" onClick={() => go("history", { session })}>
            Session’s timeline
          </button>
        ) : null}
        {action && record.type === "decision" ? (
          <button type="button" onClick={() => go("policy", { call: record })}>
            Judge again, propose a rule
          </button>
        ) : null}
        <button type="button" aria-expanded={raw} onClick={() => setRaw(!raw)}>
          Record as it stands
        </button>
      </p>
      {raw && <Block text={JSON.stringify(record, null, 2)} label="the record" limit={8000} />}
    </section>
  );
}
