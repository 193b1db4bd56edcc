// Records as rows, one of which can be chosen: with the mouse, with j and k, with the arrows.

import { Component } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { useKeys } from "../keys.ts";
import { decidedBy, saying, subject, type AuditRecord } from "../words/records.ts";
import { Line } from "./text.tsx";
import { Time, Word } from "./words.tsx";

type RowProps = { record: AuditRecord; chosen: boolean; choose: (record: AuditRecord) => void };

/** Drawn again only when another record stands there or it is chosen: many come in a second. */
class Row extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps) {
    return next.record !== this.props.record || next.chosen !== this.props.chosen;
  }

  override render({ record, chosen, choose }: RowProps) {
    const { actor = {}, outcome } = record;
    return (
      <tr aria-selected={chosen} data-seq={record.seq} onClick={() => choose(record)}>
        <td class="dim when">
          <Time at={record.at} />
        </td>
        <td>{outcome ? <Word outcome={outcome} /> : <span class="word">{record.type}</span>}</td>
        <td class="dim road">{actor.surface ?? ""}</td>
        <td class="who">
          <Line text={actor.agent ?? record.by ?? ""} limit={40} />
        </td>
        <td class="dim tool">{record.type === "result" ? "response" : <Line text={record.tool ?? ""} limit={24} />}</td>
        <td class="mono what">
          <button type="button" class="row" tabIndex={-1}>
            <Line text={(record.action ? subject(record.action) : saying(record)) || `record ${record.seq}`} limit={240} />
          </button>
        </td>
        <td class="dim rule">
          <Line text={outcome ? decidedBy(record) : ""} limit={40} />
        </td>
      </tr>
    );
  }
}

type Props = {
  records: readonly AuditRecord[];
  chosen: AuditRecord | undefined;
  choose: (record: AuditRecord | undefined) => void;
  label: string;
};

export function Rows({ records, chosen, choose, label }: Props) {
  const body = useRef<HTMLDivElement>(null);
  const latest = useRef({ records, chosen, choose });
  latest.current = { records, chosen, choose };
  const step = (by: number) => {
    const { records, chosen, choose } = latest.current;
    const at = records.findIndex((record) => record.seq === chosen?.seq);
    const to = at < 0 ? 0 : Math.min(records.length - 1, Math.max(0, at + by));
    const next = records[to];
    if (next) choose(next);
  };
  useKeys({
    j: () => step(1),
    k: () => step(-1),
    ArrowDown: () => step(1),
    ArrowUp: () => step(-1),
    PageDown: () => step(20),
    PageUp: () => step(-20),
    Home: () => step(-1e9),
    End: () => step(1e9),
    Escape: () => latest.current.choose(undefined),
  });
  useEffect(() => {
    body.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }, [chosen?.seq]);
  return (
    <div class="rows" ref={body} tabIndex={0} role="region" aria-label={label}>
      <table>
        <caption class="hidden">{label}</caption>
        <thead>
          <tr>
            <th scope="col">time</th>
            <th scope="col">decision</th>
            <th scope="col">road</th>
            <th scope="col">agent</th>
            <th scope="col">tool</th>
            <th scope="col">what</th>
            <th scope="col">rule</th>
          </tr>
        </thead>
        <tbody>
          {records.map((record) => (
            <Row key={record.seq} record={record} chosen={record.seq === chosen?.seq} choose={choose} />
          ))}
        </tbody>
      </table>
    </div>
  );
}
