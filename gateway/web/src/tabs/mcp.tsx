// What MCP servers offer: what was approved, and what waits for that, beside what it was.

import { useSignal } from "@preact/signals";
import { may, send } from "../api.ts";
import { useAsked } from "../ui/asked.ts";
import { Change } from "../ui/change.tsx";
import { Line } from "../ui/text.tsx";
import { Nothing, Trouble } from "../ui/words.tsx";
import { plain } from "../words/shown.ts";

type Waiting = { section: string; name: string; before?: unknown; now: unknown[]; hashes: string[] };
type Server = {
  server: string;
  lock: string;
  approved: Record<string, number>;
  waiting: Waiting[];
  risks: { id: string; severity: string; item: string; message: string }[];
};

export function Mcp() {
  const servers = useAsked<Server[]>("/v1/mcp/servers");
  const said = useSignal("");
  const error = useSignal<unknown>(undefined);
  const busy = useSignal(false);
  const approve = async (server: Server, items: Waiting[]) => {
    busy.value = true;
    error.value = undefined;
    try {
      const seen = items.map(({ section, name, hashes }) => ({ section, name, hashes }));
      const done = await send<{ approved: string[] }>("POST", "/v1/mcp/approve", { server: server.server, lock: server.lock, items: seen });
      said.value = `Approved of ${plain(server.server)}: ${plain(done.approved.join(", "))}`;
    } catch (failed) {
      error.value = failed;
    }
    busy.value = false;
    servers.again();
  };
  const may_approve = may("admin");
  return (
    <div class="sheets single">
      <div role="status">{said.value && <p class="good">{said.value}</p>}</div>
      <Trouble error={servers.error ?? error.value} />
      {servers.answer?.length === 0 && (
        <Nothing>
          No server has pins yet. <code>rampart mcp -- SERVER</code> makes them on first use.
        </Nothing>
      )}
      {(servers.answer ?? []).map((server) => (
        <section class="sheet" aria-label={plain(server.server)}>
          <div class="bar">
            <h2>
              <Line text={server.server} />
            </h2>
            <span class="dim">
              approved: {Object.entries(server.approved).map(([section, count]) => `${section} ${count}`).join(", ") || "nothing"}
            </span>
            <span class="grow" />
            {server.waiting.length > 1 && (
              <button type="button" class="allow" disabled={busy.value || !may_approve} onClick={() => void approve(server, server.waiting)}>
                Approve all {server.waiting.length}
              </button>
            )}
          </div>
          <p class="dim mono small">
            <Line text={server.lock} />
          </p>
          {server.risks.map((risk) => (
            <p class="warning">
              <Line text={`${risk.severity} ${risk.id}: ${risk.item}: ${risk.message}`} limit={600} />
            </p>
          ))}
          {server.waiting.map((waiting) => (
            <article class="waiting">
              <header class="bar">
                <h3 class="mono">
                  <Line text={`${waiting.section}/${waiting.name}`} />
                </h3>
                <span class={waiting.before === undefined ? "word watch" : "word ask"}>{waiting.before === undefined ? "new" : "changed"}</span>
                <span class="grow" />
                <button type="button" class="allow" disabled={busy.value || !may_approve} onClick={() => void approve(server, [waiting])}>
                  Approve as shown
                </button>
              </header>
              <p class="dim">Hidden from the agent, and refused, until it is approved.</p>
              {waiting.now.map((now) => (
                <Change before={waiting.before} now={now} />
              ))}
            </article>
          ))}
          {server.waiting.length === 0 && <p class="dim">Nothing waits for approval.</p>}
        </section>
      ))}
    </div>
  );
}
