// The dashboard: who is logged in, the tabs, and the keys that work everywhere.

import { render, type FunctionComponent } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { signal } from "@preact/signals";
import { get, loggedOut, me, type Me } from "./api.ts";
import { listen, useKeys } from "./keys.ts";
import { begin, questions, standing } from "./live.ts";
import { Approvals } from "./tabs/approvals.tsx";
import { Egress } from "./tabs/egress.tsx";
import { Health } from "./tabs/health.tsx";
import { History } from "./tabs/history.tsx";
import { Live } from "./tabs/live.tsx";
import { Mcp } from "./tabs/mcp.tsx";
import { Policy } from "./tabs/policy.tsx";
import { Keys } from "./ui/keys.tsx";
import { go, opened, tab, TABS, type Tab } from "./where.ts";
import { plain } from "./words/shown.ts";
import "./style.css";

const PAGES: Record<Tab, { title: string; page: FunctionComponent }> = {
  live: { title: "Live", page: Live },
  approvals: { title: "Approvals", page: Approvals },
  history: { title: "History", page: History },
  policy: { title: "Policy", page: Policy },
  mcp: { title: "MCP", page: Mcp },
  egress: { title: "Egress", page: Egress },
  health: { title: "Health", page: Health },
};

const keysShown = signal(false);

const STANDS = { connecting: "connecting", live: "live", waiting: "no gateway, trying again" };

function App() {
  const main = useRef<HTMLElement>(null);
  const numbered = TABS.map((name, nth) => [String(nth + 1), () => go(name)] as const);
  useKeys({ ...Object.fromEntries(numbered), "?": () => (keysShown.value = !keysShown.value) });
  const waiting = questions.value.length;
  useEffect(() => {
    document.title = `${waiting > 0 ? `(${waiting}) ` : ""}${PAGES[tab.value].title} · Rampart`;
  }, [waiting, tab.value]);
  if (loggedOut.value) return <LoggedOut />;
  const Page = PAGES[tab.value].page;
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => { event.preventDefault(); main.current?.focus(); }}>
        To the content
      </a>
      <header class="top">
        <h1>
          Rampart
        </h1>
        <nav aria-label="pages">
          {TABS.map((name) => (
            <a href={`#/${name}`} aria-current={tab.value === name ? "page" : undefined} onClick={(event) => { event.preventDefault(); go(name); }}>
              {PAGES[name].title}
              {name === "approvals" && waiting > 0 && <span class="count">{waiting}<span class="hidden"> waiting</span></span>}
            </a>
          ))}
        </nav>
        <span class={`standing ${standing.value}`} role="status">
          {STANDS[standing.value]}
        </span>
        <button type="button" class="quiet" onClick={() => (keysShown.value = true)} aria-label="keys">
          ?
        </button>
        <form class="out" method="post" action="/dashboard/logout">
          <input type="hidden" name="token" value={me.value?.page_token ?? ""} />
          <button type="submit" class="quiet" title={me.value ? plain(me.value.name) : ""}>
            Log out
          </button>
        </form>
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        <Page key={`${tab.value} ${opened.value}`} />
      </main>
      {keysShown.value && <Keys close={() => (keysShown.value = false)} />}
    </>
  );
}

function LoggedOut() {
  return (
    <main class="over">
      <h1>Nobody is logged in here any more</h1>
      <p>
        Run <code>rampart dashboard</code> in a terminal, and open the link that it prints.
      </p>
    </main>
  );
}

async function start() {
  const app = document.getElementById("app");
  if (!app) return;
  listen();
  render(<App />, app);
  try {
    me.value = await get<Me>("/v1/whoami");
  } catch {
    // The stream tells whether nobody answers or nobody is logged in.
  }
  await begin();
}

void start();
