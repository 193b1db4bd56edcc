// The keys, shown by `?`.

import { useLayoutEffect, useRef } from "preact/hooks";
import { useKeys } from "../keys.ts";

const KEYS: [string, [string, string][]][] = [
  ["Everywhere", [["1 – 7", "pages"], ["?", "this"], ["Esc", "close, or leave a field"]]],
  ["Lists", [["j k", "next, previous"], ["/", "search"], ["Esc", "close the details"]]],
  ["Live", [["p", "hold, and go on"]]],
  ["Approvals", [["a", "allow once"], ["w", "allow for a while"], ["⇧A", "allow always: writes a rule"], ["d", "deny; Enter sends the reason"]]],
];

export function Keys({ close }: { close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => dialog.current?.showModal(), []);
  useKeys({ Escape: close, "?": close });
  return (
    <dialog ref={dialog} aria-label="keys" onClose={close} onClick={(event) => event.target === dialog.current && close()}>
      <header>
        <h2>Keys</h2>
        <button type="button" class="quiet" onClick={close} aria-label="close">
          ✕
        </button>
      </header>
      <div class="keys">
        {KEYS.map(([where, keys]) => (
          <section>
            <h3>{where}</h3>
            <dl>
              {keys.map(([key, does]) => (
                <div>
                  <dt>
                    <kbd>{key}</kbd>
                  </dt>
                  <dd>{does}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </dialog>
  );
}
