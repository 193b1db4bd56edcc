// The gateway's API as the dashboard asks it (docs/api.md): by the browser's cookie, and what changes something with the
// token of our pages. Nothing of it is kept in the browser's storage or put into an address.

import { signal } from "@preact/signals";
import type { Action, AuditRecord, Effect, Outcome, RuleRef } from "./words/records.ts";

export type Me = { name: string; reads: string[]; acts: string[]; why?: string; until?: string; page_token?: string };

export type Judgement = {
  outcome: Outcome;
  reason: string;
  rule?: RuleRef;
  message: string;
  effect?: Effect;
  effects?: Effect[];
  suggestions?: string[];
};

export type Question = {
  id: string;
  payload: string;
  subject: string;
  asked: string;
  expires: string;
  expires_in_ms: number;
  approvals: number;
  agreed?: string[];
  details?: { name: string; text: string }[];
  call: {
    origin: { agent: string; session: string; surface: string; workspace?: string; claimed?: boolean };
    action: Action;
  };
  judgement: Judgement;
};

export type Added = { number: number; existed: boolean; notes: string[]; warnings: string[]; rules: number };
export type Resolved = { id: string; approved: boolean; missing: number; subject: string; rule?: Added; unwritten?: string };

export type Decision = {
  allowed: boolean;
  decision: Outcome;
  reason: string;
  message: string;
  matched_policies: string[];
  rule?: RuleRef;
  policy_hash: string;
  suggestions: string[];
  effects: Effect[];
  micros: number;
};

export type Status = {
  version: string;
  pid: number;
  mode: string;
  home: string;
  started: string;
  listen?: string;
  egress?: string;
  policy: { hash: string; policies: number; rules: number; files: string[]; loaded: string; error?: string; warnings?: string[] };
  audit: { healthy: boolean; problem?: string; seq?: number; witnesses?: { witness: string; size?: number; problem?: string }[] };
  pending: number;
  sessions: number;
  fail_open: string[];
  config: { error?: string; waiting?: string[]; mode?: string };
  telemetry?: { spans_lost: number; log_records_lost: number; requests_lost: number };
};

export type Policy = {
  name: string;
  file: string;
  description: string;
  enabled: boolean;
  rules: number;
  priority: number;
  layer: string;
};

export type Rule = {
  number: number;
  name: string;
  action?: string;
  tool?: string;
  pattern?: string;
  params?: Record<string, string[]>;
  message?: string;
  once: boolean;
  expires_at?: string;
  expired: boolean;
  origin: string;
  policy: unknown;
};

export type Events = { events: AuditRecord[]; more: boolean };

/** Why something was not done: a stable code, and a sentence for people. */
export class Failure extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** Who is logged in; nothing until the gateway has said so. */
export const me = signal<Me | undefined>(undefined);
/** The login is over. */
export const loggedOut = signal(false);

/** Whether the person may do what needs this scope. */
export function may(scope: "approve" | "admin"): boolean {
  return me.value?.acts.includes(scope) ?? false;
}

export async function get<T>(path: string, asked: Record<string, string> = {}, signal?: AbortSignal): Promise<T> {
  const query = new URLSearchParams(Object.entries(asked).filter(([, value]) => value !== "")).toString();
  return read<T>(await fetch(query ? `${path}?${query}` : path, signal ? { signal } : {}));
}

export async function send<T>(method: "POST" | "DELETE", path: string, body: unknown = {}): Promise<T> {
  const headers = { "content-type": "application/json", "x-rampart-csrf": me.value?.page_token ?? "" };
  return read<T>(await fetch(path, { method, headers, body: JSON.stringify(body) }));
}

async function read<T>(response: Response): Promise<T> {
  if (response.ok) return (await response.json()) as T;
  if (response.status === 401) loggedOut.value = true;
  throw await failure(response);
}

export async function failure(response: Response): Promise<Failure> {
  const said = (await response.json().catch(() => undefined)) as { error?: { code?: string; message?: string } } | undefined;
  const text = said?.error?.message ?? `the gateway answered ${response.status}`;
  return new Failure(response.status, said?.error?.code ?? "", text);
}

/** An error as a person reads it. */
export function told(error: unknown): string {
  if (error instanceof Failure) return error.message;
  if (error instanceof TypeError) return "the gateway does not answer; `rampart status` says how it is";
  return error instanceof Error ? error.message : String(error);
}
