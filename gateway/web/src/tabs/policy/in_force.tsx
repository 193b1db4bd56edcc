// The ruleset in force, the files it was made of with what is wrong with them, and the person's own rules.

import { useSignal } from "@preact/signals";
import { may, send, type Policy, type Rule, type Status } from "../../api.ts";
import { useAsked } from "../../ui/asked.ts";
import { Block, Line } from "../../ui/text.tsx";
import { Facts, Time, Trouble, Word } from "../../ui/words.tsx";
import { go } from "../../where.ts";

export function InForce() {
  const status = useAsked<Status>("/v1/status");
  const policies = useAsked<Policy[]>("/v1/policies");
  const error = useSignal<unknown>(undefined);
  const now = status.answer?.policy;
  const reload = async () => {
    error.value = undefined;
    try {
      await send("POST", "/v1/policy/reload");
    } catch (failed) {
      error.value = failed;
    }
    status.again();
    policies.again();
  };
  return (
    <section class="sheet">
      <div class="bar">
        <h2>In force</h2>
        <span class="grow" />
        <button type="button" disabled={!may("admin")} onClick={() => void reload()}>
          Load again
        </button>
      </div>
      <Trouble error={status.error ?? error.value} />
      {now && (
        <>
          {now.error ? (
            <>
              <p class="trouble">The files as they are now do not load; what was in force before stays.</p>
              <Block text={now.error} label="what is wrong with the files" />
            </>
          ) : null}
          {(now.warnings ?? []).map((warning) => (
            <p class="warning">
              <Line text={warning} limit={800} />
            </p>
          ))}
          <Facts
            facts={[
              ["Mode", <Word outcome={status.answer?.mode ?? ""} />],
              ["Policies", String(now.policies)],
              ["Rules", String(now.rules)],
              ["Since", <Time at={now.loaded} />],
              ["Ruleset", <code title={now.hash}>{now.hash.slice(0, 12)}</code>],
              ["Files", now.files.join(", ")],
            ]}
          />
        </>
      )}
      <Trouble error={policies.error} />
      <table class="plain policies">
        <caption>Smaller numbers are explained first; the strictest rule wins.</caption>
        <thead>
          <tr>
            <th scope="col">policy</th>
            <th scope="col">file</th>
            <th scope="col" class="number">rules</th>
            <th scope="col" class="number">priority</th>
          </tr>
        </thead>
        <tbody>
          {(policies.answer ?? []).map((policy) => (
            <tr class={policy.enabled ? "" : "off"}>
              <td>
                <button type="button" class="row link" title="what it decided" onClick={() => go("history", { rule: policy.name })}>
                  <Line text={policy.name} limit={60} />
                </button>
                {!policy.enabled && <span class="dim"> off</span>}
                {policy.description ? <span class="remark"><Line text={policy.description} limit={200} /></span> : null}
              </td>
              <td class="dim">
                <Line text={policy.file} limit={200} /> <span class="dim">{policy.layer}</span>
              </td>
              <td class="number">{policy.rules}</td>
              <td class="number dim">{policy.priority}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

export function OwnRules({ changed }: { changed: () => void }) {
  const rules = useAsked<Rule[]>("/v1/rules");
  const error = useSignal<unknown>(undefined);
  const remove = async (rule: Rule) => {
    try {
      await send("DELETE", `/v1/rules/${encodeURIComponent(rule.name)}`);
      changed();
    } catch (failed) {
      error.value = failed;
    }
  };
  return (
    <section class="sheet">
      <h2>Your own rules</h2>
      <Trouble error={rules.error ?? error.value} />
      {rules.answer?.length === 0 && <p class="dim">None. An answer “always”, and “Propose a rule”, write one; one press takes it back.</p>}
      {(rules.answer ?? []).length > 0 && (
        <table class="plain">
          <caption class="hidden">Your own rules</caption>
          <tbody>
            {(rules.answer ?? []).map((rule) => (
              <tr key={rule.name} class={rule.expired ? "off" : ""}>
                <td class="number dim">{rule.number}</td>
                <td>
                  <Word outcome={rule.action ?? "other"} />
                </td>
                <td class="mono">
                  <span class="dim">{rule.tool ?? ""}</span> <Line text={rule.pattern ?? rule.name} limit={200} />
                  <span class="remark">
                    <Line text={rule.origin} limit={200} />
                    {rule.expires_at ? <> · {rule.expired ? "ended" : "until"} <Time at={rule.expires_at} /></> : null}
                    {rule.once && " · one call only"}
                  </span>
                </td>
                <td>
                  <button type="button" disabled={!may("admin")} onClick={() => void remove(rule)}>
                    Take back
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}
