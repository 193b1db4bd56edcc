// A call as somebody writes it in one line, made into what the API judges, and into the rule that is about exactly it.

import type { Action } from "./records.ts";

export type Kind = "exec" | "read" | "write" | "fetch" | "connect" | "mcp";
export const KINDS: [Kind, string, string][] = [
  ["exec", "command", "git push --force origin main"],
  ["read", "read a file", "~/.ssh/id_rsa"],
  ["write", "write a file", "/etc/hosts"],
  ["fetch", "HTTP request", "POST https://example.com/upload"],
  ["connect", "connection", "example.com:22"],
  ["mcp", "MCP call", 'github/create_issue {"title": "Broken build"}'],
];

/** What `/v1/test` takes as `params`; a text of why there is none. */
export function params(kind: Kind, text: string): Record<string, unknown> | string {
  const line = text.trim();
  if (line === "") return "write what would be called";
  switch (kind) {
    case "exec":
      return { command: line };
    case "read":
    case "write":
      return { path: line };
    case "fetch": {
      const [, method, url] = /^(?:([A-Za-z]+)\s+)?(\S+)$/.exec(line) ?? [];
      if (!url) return "a request is a method and a URL: `POST https://example.com/upload`";
      return method ? { method, url } : { url };
    }
    case "connect": {
      const [, host, port] = /^(.*?)(?::(\d+))?$/.exec(line) ?? [];
      return port ? { host, port: Number(port) } : { host };
    }
    case "mcp": {
      const [, server, tool, given] = /^([^\s/]+)\/(\S+)\s*([\s\S]*)$/.exec(line) ?? [];
      if (!server) return 'an MCP call is a server, a tool and its arguments: `github/create_issue {"title": "x"}`';
      if (!given) return { server, tool };
      try {
        return { server, tool, arguments: JSON.parse(given) as unknown };
      } catch {
        return "the arguments are no JSON";
      }
    }
  }
}

/** The line of a recorded call, where it is of a kind that can be written so. */
export function line(action: Action): [Kind, string] | undefined {
  switch (action.type) {
    case "exec":
      return action.command === undefined ? undefined : ["exec", action.command];
    case "read":
    case "write":
      return action.paths?.length === 1 ? [action.type, action.paths[0]?.path ?? ""] : undefined;
    case "edit":
      return action.paths?.length === 1 ? ["write", action.paths[0]?.path ?? ""] : undefined;
    case "fetch":
      return ["fetch", `${action.method ?? "GET"} ${action.url ?? ""}`];
    case "connect":
      return ["connect", `${action.host ?? ""}:${action.port ?? ""}`];
    case "mcp": {
      const given = action.arguments === undefined || action.arguments === null ? "" : ` ${JSON.stringify(action.arguments)}`;
      return ["mcp", `${action.server ?? ""}/${action.tool ?? ""}${given}`];
    }
    default:
      return undefined;
  }
}

/** The pattern that is about exactly this call. A star is meant as one. */
export function pattern(kind: Kind, text: string): string {
  const made = params(kind, text);
  if (typeof made === "string") return "";
  const exact = (text: unknown) => String(text).replaceAll("*", "\\*");
  switch (kind) {
    case "exec":
      return exact(made.command);
    case "read":
    case "write":
      return exact(made.path);
    case "fetch":
      return exact(made.url);
    case "connect":
      return exact(made.host);
    case "mcp":
      return exact(`${String(made.server)}/${String(made.tool)}`);
  }
}
