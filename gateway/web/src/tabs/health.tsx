// How everything is, with what shows it: the roads, the gateway, the audit chain.

import { useSignal } from "@preact/signals";
import { get, type Status } from "../api.ts";
import { useAsked } from "../ui/asked.ts";
import { Line } from "../ui/text.tsx";
import { Facts, Time, Trouble, Word } from "../ui/words.tsx";

type Road = { road: string; protection: string; evidence: string; remedy?: string };
type Stats = { records: number; surfaces: Record<string, number>; outcomes: Record<string, number>; micros?: { median: number; p99: number; most: number } };
type Report = { ok: boolean; records: number; segments: number; checkpoints: number; head?: string; problems: Problem[]; notes: Problem[] };
type Problem = { what: string; file?: string; line?: number; message: string; remedy?: string };

/** Every road of docs, whether anything came by it or not. */
const SURFACES = ["hook", "shell", "preload", "supervisor", "mcp-stdio", "mcp-http", "egress", "api"];

export function Health() {
  const status = useAsked<Status>("/v1/status");
  const roads = useAsked<Road[]>("/v1/roads");
  const stats = useAsked<Stats>("/v1/audit/stats", { since: "24h", type: "decision" });
  const { answer } = status;
  return (
    <div class="sheets">
      <section class="sheet wide">
        <div class="bar">
          <h2>Roads</h2>
          <span class="grow" />
          <button type="button" onClick={() => { status.again(); roads.again(); stats.again(); }}>
            Look again
          </button>
        </div>
        <Trouble error={roads.error} />
        <table class="plain">
          <caption>What can be seen from the gateway. Advisory: a program that does not take part can walk around it.</caption>
          <thead>
            <tr>
              <th scope="col">road</th>
              <th scope="col">protection</th>
              <th scope="col">what shows it</th>
            </tr>
          </thead>
          <tbody>
            {(roads.answer ?? []).map((road) => (
              <tr key={road.road}>
                <th scope="row">
                  <Line text={road.road} />
                </th>
                <td>
                  <Word outcome={road.protection} />
                </td>
                <td>
                  <Line text={road.evidence} limit={600} />
                  {road.remedy ? <span class="remedy"><Line text={road.remedy} limit={300} /></span> : null}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
        <h3>Decisions of the last 24 hours, by road</h3>
        <Trouble error={stats.error} />
        {stats.answer && (
          <div class="tiles">
            {SURFACES.map((surface) => (
              <div class={stats.answer?.surfaces[surface] ? "tile" : "tile none"}>
                <b>{(stats.answer?.surfaces[surface] ?? 0).toLocaleString("en")}</b>
                <span class="dim">{surface}</span>
              </div>
            ))}
          </div>
        )}
        {stats.answer && (
          <div class="tiles">
            {["allow", "watch", "ask", "webhook", "deny"].map((outcome) => (
              <div class="tile">
                <b>{(stats.answer?.outcomes[outcome] ?? 0).toLocaleString("en")}</b>
                <Word outcome={outcome} />
              </div>
            ))}
            {stats.answer.micros && (
              <div class="tile">
                <b>{stats.answer.micros.median.toLocaleString("en")} µs</b>
                <span class="dim">a decision, at the median; p99 {stats.answer.micros.p99.toLocaleString("en")} µs</span>
              </div>
            )}
          </div>
        )}
      </section>
      <section class="sheet">
        <h2>Gateway</h2>
        <Trouble error={status.error} />
        {answer && (
          <>
            <Facts
              facts={[
                ["Mode", <Word outcome={answer.mode} />],
                ["Version", answer.version],
                ["Process", String(answer.pid)],
                ["Since", <Time at={answer.started} />],
                ["API", answer.listen ?? "no port"],
                ["Egress proxy", answer.egress ?? "none"],
                ["Sessions known", String(answer.sessions)],
                ["Questions waiting", String(answer.pending)],
                ["Home", answer.home],
                ["Goes on without an answer", answer.fail_open.join(", ") || "no surface"],
              ]}
            />
            {answer.mode !== "enforce" && <p class="warning">In mode {answer.mode} nothing is stopped.</p>}
            {answer.config.error ? <p class="trouble"><Line text={`config.yaml does not load: ${answer.config.error}`} limit={800} /></p> : null}
            {(answer.config.waiting ?? []).length > 0 && <p class="warning">Wait for the next start: {answer.config.waiting?.join(", ")}</p>}
            {answer.config.mode ? <p class="warning">config.yaml says {answer.config.mode}; a flag of this gateway says otherwise.</p> : null}
            {answer.telemetry && (
              <p class="dim">
                A collector did not get {answer.telemetry.spans_lost} spans, {answer.telemetry.log_records_lost} lines of the log, {answer.telemetry.requests_lost} requests.
              </p>
            )}
          </>
        )}
      </section>
      <section class="sheet">
        <h2>Audit chain</h2>
        {answer && (
          <>
            <Facts
              facts={[
                ["Writing", <Word outcome={answer.audit.healthy ? "ok" : "degraded"} />],
                ["Newest record", (answer.audit.seq ?? 0).toLocaleString("en")],
                ...(answer.audit.witnesses ?? []).map(({ witness, size, problem }): [string, string] => [`Witness ${witness}`, problem ?? `has ${(size ?? 0).toLocaleString("en")} records`]),
              ]}
            />
            {answer.audit.problem ? <p class="trouble"><Line text={answer.audit.problem} limit={600} /></p> : null}
            {(answer.audit.witnesses ?? []).length === 0 && <p class="dim">No witness keeps its checkpoints: <code>audit.witnesses</code> in config.yaml names one.</p>}
          </>
        )}
        <Verify />
      </section>
    </div>
  );
}

function Verify() {
  const report = useSignal<Report | undefined>(undefined);
  const error = useSignal<unknown>(undefined);
  const busy = useSignal(false);
  const took = useSignal(0);
  const verify = async () => {
    busy.value = true;
    error.value = undefined;
    const began = performance.now();
    try {
      report.value = await get<Report>("/v1/audit/verify");
      took.value = performance.now() - began;
    } catch (failed) {
      error.value = failed;
    }
    busy.value = false;
  };
  const now = report.value;
  return (
    <div role="status">
      <p class="actions">
        <button type="button" disabled={busy.value} onClick={() => void verify()}>
          {busy.value ? "Verifying …" : "Verify the whole chain"}
        </button>
      </p>
      <Trouble error={error.value} />
      {now?.ok && (
        <p class="good">
          {now.records.toLocaleString("en")} records in {now.segments} segments are what was written; {now.checkpoints.toLocaleString("en")} signed checkpoints hold ({(took.value / 1000).toFixed(1)} s).
        </p>
      )}
      {[...(now?.problems ?? []), ...(now?.notes ?? [])].map((problem) => (
        <p class={now?.problems.includes(problem) ? "trouble" : "warning"}>
          <Line text={`${problem.what}: ${problem.message}${problem.file ? ` (${problem.file}${problem.line ? `:${problem.line}` : ""})` : ""}`} limit={600} />
          {problem.remedy ? <span class="remedy"><Line text={problem.remedy} /></span> : null}
        </p>
      ))}
    </div>
  );
}
