// Keys. Each acts where no text is written and no other key is held; what is open first listens first.

import { useLayoutEffect } from "preact/hooks";

export type Keys = Record<string, (event: KeyboardEvent) => void>;

const open: { keys: Keys }[] = [];

/** Listens while the component that says so is there. */
export function useKeys(keys: Keys) {
  useLayoutEffect(() => {
    const entry = { keys };
    open.push(entry);
    return () => {
      open.splice(open.indexOf(entry), 1);
    };
  });
}

/** Starts listening, once. */
export function listen() {
  addEventListener("keydown", (event) => {
    const at = event.target instanceof Element ? event.target : document.body;
    const writes = at.matches("input, textarea, select");
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (writes && event.key !== "Escape") return;
    // What a button or link does by itself stays so.
    if ((event.key === "Enter" || event.key === " ") && at.matches("button, a, summary")) return;
    for (const { keys } of [...open].reverse()) {
      const act = keys[event.key];
      if (act) {
        event.preventDefault();
        act(event);
        return;
      }
    }
  });
}
