// Which page is open. The address names it and nothing else: what is looked for may be a secret.

import { signal } from "@preact/signals";
import type { AuditRecord } from "./words/records.ts";

export const TABS = ["live", "approvals", "history", "policy", "mcp", "egress", "health"] as const;
export type Tab = (typeof TABS)[number];

/** What a page is opened with. */
export type With = { session?: string; host?: string; rule?: string; decision?: string; call?: AuditRecord };

const named = (): Tab => TABS.find((tab) => tab === location.hash.replace(/^#\/?/, "")) ?? "live";

export const tab = signal<Tab>(named());
export const openedWith = signal<With>({});
/** How often a page was opened: opened again, it begins anew. */
export const opened = signal(0);

export function go(to: Tab, given: With = {}) {
  openedWith.value = given;
  opened.value += 1;
  tab.value = to;
  location.hash = `/${to}`;
}

addEventListener("hashchange", () => {
  if (tab.value === named()) return;
  openedWith.value = {};
  tab.value = named();
});
