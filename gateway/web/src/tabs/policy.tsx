// The rules: what is in force, what they say of a call, what a further rule or policy would have come to.

import { useSignal } from "@preact/signals";
import { InForce, OwnRules } from "./policy/in_force.tsx";
import { Propose, WhatIfPolicy } from "./policy/what_if.tsx";
import { Try } from "./policy/try.tsx";
import { openedWith } from "../where.ts";
import { line, type Kind } from "../words/calls.ts";

export function Policy() {
  const call = openedWith.value.call;
  const opened = call?.action ? line(call.action) : undefined;
  const kind = useSignal<Kind>(opened?.[0] ?? "exec");
  const text = useSignal(opened?.[1] ?? "");
  const proposed = useSignal(opened !== undefined);
  const written = useSignal(0);
  return (
    <div class="sheets">
      <div class="column">
        <Try
          kind={kind}
          text={text}
          call={call}
          propose={() => {
            proposed.value = true;
          }}
        />
        {proposed.value && <Propose key={`${kind.value} ${text.value}`} kind={kind.value} text={text.value} call={call} done={() => (written.value += 1)} />}
        <WhatIfPolicy />
      </div>
      <div class="column">
        <InForce key={`rules ${written.value}`} />
        <OwnRules key={`own ${written.value}`} changed={() => (written.value += 1)} />
      </div>
    </div>
  );
}
