// One session from its beginning: when, by which road, what, and what became of it.

import { useKeys } from "../keys.ts";
import { saying, subject, type AuditRecord } from "../words/records.ts";
import { Line } from "./text.tsx";
import { Time, Word } from "./words.tsx";

type Props = { records: readonly AuditRecord[]; chosen: AuditRecord | undefined; choose: (record: AuditRecord | undefined) => void };

export function Timeline({ records, chosen, choose }: Props) {
  const roads = [...new Set(records.map((record) => record.actor?.surface ?? ""))].filter(Boolean).sort();
  const step = (by: number) => {
    const at = records.findIndex((record) => record.seq === chosen?.seq);
    choose(records[Math.min(records.length - 1, Math.max(0, at + by))]);
  };
  useKeys({ j: () => step(1), k: () => step(-1), ArrowDown: () => step(1), ArrowUp: () => step(-1), Escape: () => choose(undefined) });
  let before: number | undefined;
  return (
    <div class="rows timeline" tabIndex={0} role="region" aria-label="the session from its beginning">
      <table>
        <caption class="hidden">The session from its beginning</caption>
        <thead>
          <tr>
            <th scope="col">time</th>
            <th scope="col">after</th>
            {roads.map((road) => (
              <th scope="col" class="lane">
                {road}
              </th>
            ))}
            <th scope="col">decision</th>
            <th scope="col" class="wide">
              what
            </th>
          </tr>
        </thead>
        <tbody>
          {records.map((record) => {
            const at = Date.parse(record.at);
            const gap = before === undefined ? "" : apart(at - before);
            before = at;
            return (
              <tr key={record.seq} aria-selected={record.seq === chosen?.seq} onClick={() => choose(record)}>
                <td class="dim">
                  <Time at={record.at} />
                </td>
                <td class="dim">{gap}</td>
                {roads.map((road) => (
                  <td class="lane">
                    {record.actor?.surface === road && <span class={`dot ${record.outcome ?? ""}`} title={record.tool ?? record.type} />}
                  </td>
                ))}
                <td>{record.outcome ? <Word outcome={record.outcome} /> : <span class="word">{record.type}</span>}</td>
                <td class="mono what">
                  <button type="button" class="row" tabIndex={-1}>
                    {record.type === "result" && <span class="dim">← </span>}
                    <Line text={(record.action ? subject(record.action) : saying(record)) || `record ${record.seq}`} limit={240} />
                  </button>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

function apart(ms: number): string {
  if (ms < 1000) return `+${Math.max(0, ms)} ms`;
  if (ms < 120_000) return `+${(ms / 1000).toFixed(1)} s`;
  return ms < 7_200_000 ? `+${Math.round(ms / 60_000)} min` : `+${Math.round(ms / 3_600_000)} h`;
}
