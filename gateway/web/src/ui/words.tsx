// Small words that stand in many places.

import type { ComponentChildren } from "preact";
import { told } from "../api.ts";
import { Line } from "./text.tsx";

/** A decision: the word first, the colour only beside it. */
export function Word({ outcome }: { outcome: string }) {
  return <span class={`word ${KNOWN.includes(outcome) ? outcome : ""}`}>{outcome}</span>;
}

const KNOWN = ["allow", "watch", "ask", "webhook", "deny", "ok", "degraded", "enforced", "advisory", "open", "enforce", "monitor"];

/** A time of day here; with the date where it is not today. The exact time is its title. */
export function Time({ at }: { at: string }) {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return <Line text={at} limit={40} />;
  const now = new Date();
  const two = (n: number) => String(n).padStart(2, "0");
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const today = date.getDate() === now.getDate() && Math.abs(now.getTime() - date.getTime()) < 86_400_000;
  return (
    <time dateTime={at} title={at}>
      {today ? clock : `${day} ${clock}`}
    </time>
  );
}

/** What went wrong, said at once. */
export function Trouble({ error }: { error: unknown }) {
  if (error === undefined || error === null) return null;
  return (
    <p class="trouble" role="alert">
      {told(error)}
    </p>
  );
}

/** Names and what they are; those without a value are left out. */
export function Facts({ facts }: { facts: [string, ComponentChildren][] }) {
  return (
    <dl class="facts">
      {facts
        .filter(([, value]) => value !== undefined && value !== "" && value !== null && value !== false)
        .map(([name, value]) => (
          <div>
            <dt>{name}</dt>
            <dd>{typeof value === "string" ? <Line text={value} /> : value}</dd>
          </div>
        ))}
    </dl>
  );
}

/** Nothing is there, and what to do about it. */
export function Nothing({ children }: { children: ComponentChildren }) {
  return <p class="nothing">{children}</p>;
}

/** How long something takes, as people say it. */
export function lasting(ms: number): string {
  const s = Math.max(0, Math.ceil(ms / 1000));
  if (s < 120) return `${s} s`;
  if (s < 7200) return `${Math.floor(s / 60)} min`;
  return `${Math.floor(s / 3600)} h`;
}
