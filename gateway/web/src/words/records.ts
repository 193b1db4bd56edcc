// What a record of the audit trail says (docs/audit.md), and in which words.

export type Outcome = "allow" | "watch" | "ask" | "webhook" | "deny";

export type Place = { path: string; resolved?: string };
export type Action = {
  type: string;
  command?: string;
  argv?: string[];
  cwd?: string;
  paths?: Place[];
  content?: string;
  method?: string;
  url?: string;
  host?: string;
  port?: number;
  headers?: [string, string][];
  body?: string;
  addresses?: string[];
  server?: string;
  tool?: string;
  name?: string;
  arguments?: unknown;
  beside?: unknown;
  input?: unknown;
};

export type Effect = {
  kind: string;
  target?: { is: string; [more: string]: unknown };
  certainty: string;
  reversibility: string;
  via?: string[];
  note?: string;
  span?: unknown;
};

export type RuleRef = { policy: string; index?: number; action?: string; file?: string; line?: number };

export type AuditRecord = {
  seq: number;
  type: string;
  at: string;
  actor?: {
    agent?: string;
    session?: string;
    surface?: string;
    depth?: number;
    pid?: number;
    uid?: number;
    claimed?: boolean;
    person?: string;
    workspace?: string;
  };
  tool?: string;
  action?: Action;
  response?: { bytes?: number; status?: number; [more: string]: unknown };
  effects?: Effect[];
  outcome?: Outcome;
  verdict?: Outcome;
  reason?: string;
  rule?: RuleRef;
  message?: string;
  mode?: string;
  ruleset?: string;
  micros?: number;
  edits?: number;
  // approvals and changes
  id?: string;
  event?: string;
  subject?: string;
  by?: string;
  from?: string;
  scope?: string;
  decision?: number;
  h: string;
  [more: string]: unknown;
};

/** What an action is about, on one line: as `Action::subject` says it. */
export function subject(action: Action | undefined): string {
  if (!action) return "";
  switch (action.type) {
    case "exec":
      return action.command ?? (action.argv ?? []).map(quote).join(" ");
    case "read":
    case "write":
    case "edit":
      return (action.paths ?? []).map((place) => place.path).join(" ");
    case "fetch":
      return `${action.method ?? ""} ${action.url ?? ""}`;
    case "connect":
      return `${action.host ?? ""}:${action.port ?? ""}`;
    case "mcp": {
      const what = action.tool || action.method || "";
      return action.server ? `${action.server}/${what}` : what;
    }
    default:
      return action.name ?? action.type;
  }
}

function quote(word: string): string {
  return /^[a-zA-Z0-9_./=:,@%+-][a-zA-Z0-9_./=:,@%+~-]*$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** What else belongs to it: names and texts. */
export function operands(action: Action): [name: string, text: string][] {
  const all: [string, string][] = [];
  const add = (name: string, value: unknown) => {
    if (value === undefined || value === null || value === "") return;
    all.push([name, typeof value === "string" ? value : JSON.stringify(value, null, 2)]);
  };
  add("in", action.cwd);
  for (const place of action.paths ?? []) if (place.resolved !== place.path) add("really", place.resolved);
  add("content", action.content);
  for (const address of action.addresses ?? []) add("address", address);
  for (const [name, value] of action.headers ?? []) add("header", `${name}: ${value}`);
  add("body", action.body);
  if (action.type === "mcp") add("method", action.method);
  add("arguments", action.arguments);
  add("beside", action.beside);
  add("input", action.input);
  return all;
}

/** Records that are about calls, questions and changes; the others are the trail about itself. */
export const TOLD = ["decision", "result", "approval", "policy", "config", "auth", "gap", "lost", "recover"];

/** A record in one line, where it is no decision. */
export function saying(record: AuditRecord): string {
  const { event, decision, id, by, from, scope, reason, cause } = record;
  const about = record.type === "approval" && decision ? `record ${decision}` : "";
  const whom = by ? `by ${by}${from ? ` from ${from}` : ""}` : "";
  const words = [event, record.subject, about, scope === "once" ? "" : scope, record.message, whom, reason, cause, id];
  return words.filter((word) => typeof word === "string" && word !== "").join(" · ");
}

/** The policy whose rule decided, or why it came so where none did. */
export function decidedBy(record: AuditRecord): string {
  return record.rule?.policy ?? record.reason ?? "";
}

/** What an effect is done to. */
export function target(effect: Effect): string {
  const t = effect.target;
  if (!t) return "";
  const text = (key: string) => (typeof t[key] === "string" || typeof t[key] === "number" ? String(t[key]) : "");
  const host = text("host") && text("port") ? `${text("host")}:${text("port")}` : text("host");
  return text("written") || text("path") || host || text("name") || text("text") || text("ref") || JSON.stringify(t);
}
