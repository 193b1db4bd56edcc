// What a page asks the gateway when it opens: the answer, or why there is none.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { get } from "../api.ts";

export type Asked<T> = { answer: T | undefined; error: unknown; busy: boolean; again: () => void };

export function useAsked<T>(path: string, asked: Record<string, string> = {}): Asked<T> {
  const state = useSignal<{ answer?: T; error?: unknown; busy: boolean }>({ busy: true });
  const key = `${path}?${JSON.stringify(asked)}`;
  const ask = (signal?: AbortSignal) => {
    state.value = { ...state.value, busy: true };
    get<T>(path, asked, signal).then(
      (answer) => (state.value = { answer, busy: false }),
      (error: unknown) => {
        if (!signal?.aborted) state.value = { ...state.value, error, busy: false };
      },
    );
  };
  useEffect(() => {
    const abort = new AbortController();
    ask(abort.signal);
    return () => abort.abort();
  }, [key]);
  const { answer, error, busy } = state.value;
  return { answer, error, busy, again: () => ask() };
}
