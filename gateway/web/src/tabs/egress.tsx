// Where calls go: each host once, with who reached for it, how much went there and came back, and what is bound to it.

import { useSignal } from "@preact/signals";
import { useAsked } from "../ui/asked.ts";
import { Line } from "../ui/text.tsx";
import { Facts, Nothing, Time, Trouble } from "../ui/words.tsx";
import { go } from "../where.ts";

type Destination = {
  host: string;
  calls: number;
  denied: number;
  asked: number;
  bytes_out: number;
  bytes_in: number;
  first: string;
  last: string;
  agents: string[];
  surfaces: string[];
};
type Bound = { name: string; hosts: string[]; methods: string[]; paths: string[]; env?: string };

const TIMES: [string, string][] = [["1h", "the last hour"], ["24h", "the last day"], ["7d", "the last week"], ["", "all that is on record"]];
const ORDERS: Record<string, (a: Destination, b: Destination) => number> = {
  calls: (a, b) => b.calls - a.calls,
  denied: (a, b) => b.denied - a.denied,
  "sent out": (a, b) => b.bytes_out - a.bytes_out,
  "came back": (a, b) => b.bytes_in - a.bytes_in,
  "first seen": (a, b) => (a.first < b.first ? 1 : -1),
  host: (a, b) => (a.host < b.host ? -1 : 1),
};

export function Egress() {
  const since = useSignal("7d");
  const order = useSignal("calls");
  const destinations = useAsked<Destination[]>("/v1/audit/destinations", { since: since.value, top: "500" });
  const bound = useAsked<Bound[]>("/v1/credentials");
  const rows = [...(destinations.answer ?? [])].sort(ORDERS[order.value]);
  const names = (host: string) => (bound.answer ?? []).filter(({ hosts }) => hosts.some((pattern) => covers(pattern, host))).map(({ name }) => name);
  const most = Math.max(1, ...rows.map((row) => row.calls));
  return (
    <>
      <div class="bar">
        <h2>Destinations</h2>
        <label>
          <span class="hidden">since</span>
          <select value={since.value} onChange={(event) => (since.value = event.currentTarget.value)}>
            {TIMES.map(([value, title]) => (
              <option value={value}>{title}</option>
            ))}
          </select>
        </label>
        <label>
          <span class="dim">by</span>{" "}
          <select value={order.value} onChange={(event) => (order.value = event.currentTarget.value)}>
            {Object.keys(ORDERS).map((name) => (
              <option>{name}</option>
            ))}
          </select>
        </label>
        <span class="dim" role="status">
          {destinations.busy ? "reading the trail …" : `${rows.length} hosts`}
        </span>
      </div>
      <Trouble error={destinations.error} />
      {rows.length === 0 && !destinations.busy && !destinations.error ? (
        <Nothing>
          No call has reached for a host in this time. <code>eval "$(rampart env)"</code> makes clients go through the proxy.
        </Nothing>
      ) : (
        <div class="rows free" tabIndex={0} role="region" aria-label="destinations">
          <table>
            <caption class="hidden">Hosts that calls would reach</caption>
            <thead>
              <tr>
                <th scope="col">host</th>
                <th scope="col" class="number">calls</th>
                <th scope="col" class="number">denied</th>
                <th scope="col" class="number">asked</th>
                <th scope="col" class="number">sent out</th>
                <th scope="col" class="number">came back</th>
                <th scope="col">first seen</th>
                <th scope="col">last</th>
                <th scope="col">agents</th>
                <th scope="col">roads</th>
                <th scope="col">credentials</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <tr key={row.host}>
                  <td class="mono">
                    <button type="button" class="row link" onClick={() => go("history", { host: row.host })}>
                      <Line text={row.host} limit={80} />
                    </button>
                  </td>
                  <td class="number">
                    <Share of={row.calls} most={most} denied={row.denied} /> {row.calls.toLocaleString("en")}
                  </td>
                  <td class={row.denied ? "number bad" : "number dim"}>{row.denied.toLocaleString("en")}</td>
                  <td class="number">{row.asked.toLocaleString("en")}</td>
                  <td class="number">{bytes(row.bytes_out)}</td>
                  <td class="number">{bytes(row.bytes_in)}</td>
                  <td class="dim"><Time at={row.first} /></td>
                  <td class="dim"><Time at={row.last} /></td>
                  <td><Line text={row.agents.join(", ")} limit={60} /></td>
                  <td class="dim">{row.surfaces.join(", ")}</td>
                  <td class="mono"><Line text={names(row.host).join(", ")} limit={60} /></td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <section class="sheet">
        <h2>Credentials bound to hosts</h2>
        <p class="dim">The agent holds a placeholder; the proxy puts the value in, for these hosts alone. No value is shown anywhere.</p>
        <Trouble error={bound.error} />
        {bound.answer?.length === 0 && <p class="dim">None: <code>credentials</code> in config.yaml binds one.</p>}
        {(bound.answer ?? []).map((credential) => (
          <Facts
            facts={[
              ["Name", credential.name],
              ["Hosts", credential.hosts.join(", ")],
              ["Methods", credential.methods.join(", ") || "any"],
              ["Paths", credential.paths.join(", ") || "any"],
              ["Placeholder in", credential.env ?? ""],
            ]}
          />
        ))}
      </section>
    </>
  );
}

function covers(pattern: string, host: string): boolean {
  return pattern.startsWith("*.") ? host.endsWith(pattern.slice(1)) && host.length > pattern.length - 1 : pattern === host;
}

function bytes(count: number): string {
  if (count === 0) return "–";
  for (const [size, unit] of [[1e9, "GB"], [1e6, "MB"], [1e3, "kB"]] as const) {
    if (count >= size) return `${(count / size).toFixed(count < 10 * size ? 1 : 0)} ${unit}`;
  }
  return `${count} B`;
}

function Share({ of, most, denied }: { of: number; most: number; denied: number }) {
  const width = 60;
  const long = (n: number) => Math.max(n > 0 ? 1 : 0, (n / most) * width);
  return (
    <svg class="share" width={width} height="8" aria-hidden="true">
      <rect class="calls" width={long(of)} height="8" />
      <rect class="denied" width={long(denied)} height="8" />
    </svg>
  );
}
