// What something was beside what it is now: the members that differ, each with every character in sight.

import { Block } from "./text.tsx";

/** A value as text in which nothing hides: what is not plain ASCII is an escape, as JSON writes it. */
function written(value: unknown): string {
  const hidden = (c: string) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(value, null, 2).replace(/[\x7f-\uffff]/g, hidden);
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === "object" && value !== null && !Array.isArray(value);

export function Change({ before, now }: { before: unknown; now: unknown }) {
  if (!isObject(now) || (before !== undefined && !isObject(before))) {
    return <Pair name="" old={before} young={now} />;
  }
  const old: Record<string, unknown> = isObject(before) ? before : {};
  const names = [...new Set([...Object.keys(old), ...Object.keys(now)])].sort();
  const differ = names.filter((name) => JSON.stringify(old[name]) !== JSON.stringify(now[name]));
  return (
    <div class="change">
      {differ.map((name) => (
        <Pair name={name} old={old[name]} young={now[name]} />
      ))}
      {differ.length === 0 && <p class="dim">It differs in nothing but its order.</p>}
    </div>
  );
}

function Pair({ name, old, young }: { name: string; old: unknown; young: unknown }) {
  return (
    <div class="pair">
      {old !== undefined && (
        <div class="gone">
          <Block written text={`- ${name ? `${written(name).slice(1, -1)}: ` : ""}${written(old)}`} label={`${name} as it was approved`} />
        </div>
      )}
      {young !== undefined && (
        <div class="new">
          <Block written text={`+ ${name ? `${written(name).slice(1, -1)}: ` : ""}${written(young)}`} label={`${name} as it is offered now`} />
        </div>
      )}
    </div>
  );
}
