// Server-sent events (WHATWG HTML, section 9.2) read from a fetch and not by an EventSource: the id from which to go on can
// be given at the first connection too, and an answer that is no stream says why.

import { failure, loggedOut } from "./api.ts";

export type Event = { id: string; data: string };

/** Splits what comes into events. */
export class Events {
  #rest = "";
  #id = "";
  #data: string[] = [];

  feed(text: string): Event[] {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    const events: Event[] = [];
    for (const line of lines) {
      if (line.startsWith("data: ")) this.#data.push(line.slice(6));
      else if (line.startsWith("id: ")) this.#id = line.slice(4);
      else if (line === "" && this.#data.length > 0) {
        events.push({ id: this.#id, data: this.#data.join("\n") });
        this.#data = [];
      }
    }
    return events;
  }
}

export type Standing = "connecting" | "live" | "waiting";

/** The gateway shows twice a second that it lives. */
const PATIENCE_MS = 5000;
const SHORTEST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 5000;

/** Follows the records after number `after` as long as the page is open, over whatever breaks off. */
export async function follow(after: number, record: (data: string) => void, stands: (standing: Standing) => void) {
  let last = String(after);
  let wait = SHORTEST_WAIT_MS;
  while (!loggedOut.value) {
    const patience = new AbortController();
    let timer = setTimeout(() => patience.abort(), PATIENCE_MS);
    try {
      const response = await fetch("/v1/events/stream", { headers: { "last-event-id": last }, signal: patience.signal });
      if (response.status === 401) loggedOut.value = true;
      if (!response.ok || !response.body) throw await failure(response);
      stands("live");
      wait = SHORTEST_WAIT_MS;
      const [reader, text, events] = [response.body.getReader(), new TextDecoder(), new Events()];
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        clearTimeout(timer);
        timer = setTimeout(() => patience.abort(), PATIENCE_MS);
        for (const event of events.feed(text.decode(value, { stream: true }))) {
          last = event.id;
          record(event.data);
        }
      }
    } catch {
      // Whatever it was, the next try tells.
    }
    clearTimeout(timer);
    stands("waiting");
    await new Promise((again) => setTimeout(again, wait));
    wait = Math.min(wait * 2, LONGEST_WAIT_MS);
  }
}
