//! What each route is for, and what it takes and gives. A line for each route of the table; a test misses those that are not
//! here, another asks each and holds the answer against this.

use rampart_call::{Answer, Call, Refused};
use rampart_client::wire::{
    AddedRule, ApproveMcp, ApprovedMcp, AuditEvents, BoundCredential, Closed, ClosedRequest, CreateToken, CreatedToken,
    DashboardLink, Decision, Health, McpServer, NewRule, Noted, OpenSession, OpenedSession, Pending, Policy,
    PolicyStatus, RemovedRule, ResetRules, Resolve, Resolved, Road, Rule, ScanRequest, Scanned, SessionSummary, Status,
    TestRequest, Ticket, TokenInfo, ToolRequest, WhatIf, WhoAmI,
};
use rampart_gateway::{
    audit::{destinations::Destination, stats::Stats, verify::Report},
    metrics,
    replay::Replayed,
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value};

/// What a route is for, and the shapes of what it takes and gives.
#[derive(Debug, Clone)]
pub(super) struct About {
    pub(super) text: &'static str,
    /// Status of an answer that is no error.
    pub(super) status: u16,
    pub(super) takes: Option<(&'static str, Shape)>,
    pub(super) gives: Option<(&'static str, Option<Shape>)>,
    /// Parameters of the query: name, and what it says.
    pub(super) asked: Vec<(&'static str, &'static str)>,
}

pub(super) type Shape = fn(&mut SchemaGenerator) -> Schema;
type Asked = &'static [(&'static str, &'static str)];

const JSON: &str = "application/json";
pub(super) const HTML: &str = "text/html; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const FORM: &str = "application/x-www-form-urlencoded";
const METRICS: &str = metrics::CONTENT_TYPE;
const JSONL: &str = "application/jsonl";
const EVENTS: &str = "text/event-stream";

/// What records are looked for by, alike everywhere.
const FILTER: Asked = &[
    ("type", "one or several types of records with commas"),
    ("decision", "`allow`, `watch`, `ask`, `webhook` or `deny`"),
    ("tool", "the tool's name"),
    ("agent", "the agent's name"),
    ("session", "the session's name"),
    ("rule", "the policy whose rule decided"),
    ("host", "a host that the call would reach"),
    ("path", "a path that the call would touch"),
    ("text", "any text in the record"),
    ("since", "a time such as `7d`, `2026-01-31` or `2026-01-31T09:30:00Z`"),
    ("until", "the same, for the end"),
    ("since_ms", "milliseconds since 1970 UTC"),
    ("until_ms", "the same, for the end"),
];
const PART: Asked = &[
    ("after", "only records after this number, oldest first; without it the newest come first"),
    ("before", "only records before this number"),
    ("limit", "how many at most, up to 1000"),
];
const FORMAT: Asked = &[("format", "`jsonl`, `json`, `csv` or `cef`")];
const TOP: Asked = &[("top", "how many names of each kind")];
const HEAD: Asked = &[("expect_head", "hash that the last record has, or one before it")];
const TICKET: Asked = &[("ticket", "stands in for a token, once")];

impl About {
    const fn new(text: &'static str) -> Self {
        Self { text, status: 200, takes: None, gives: None, asked: Vec::new() }
    }

    fn giving(self, media: &'static str) -> Self {
        Self { gives: Some((media, None)), ..self }
    }

    fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    fn form(self) -> Self {
        Self { takes: Some((FORM, shape::<Map<String, Value>>)), ..self }
    }

    fn asked(mut self, parameters: Asked) -> Self {
        self.asked.extend(parameters);
        self
    }
}

fn shape<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// Gives JSON of a type.
fn gives<T: JsonSchema>(text: &'static str) -> About {
    About { gives: Some((JSON, Some(shape::<T>))), ..About::new(text) }
}

/// Takes JSON of one type and gives that of another.
fn takes<T: JsonSchema, U: JsonSchema>(text: &'static str) -> About {
    About { takes: Some((JSON, shape::<T>)), ..gives::<U>(text) }
}

/// Gives a page for people.
fn page(text: &'static str) -> About {
    About::new(text).giving(HTML)
}

/// Gives something that is no type of ours, or nothing.
fn other(text: &'static str) -> About {
    About::new(text)
}

/// What is to be said of a route.
pub(super) fn about(method: &str, path: &str) -> Option<About> {
    let about = match (method, path) {
        ("GET", "/healthz") => gives::<Health>("Whether decisions can be made and recorded: 200, or 503 where not."),
        ("GET", "/metrics") => other("What is counted, as Prometheus reads it.").giving(METRICS),
        ("GET", "/approvals/{id}/{end}/{signature}") => page("The page behind a signed link. It changes nothing."),
        ("POST", "/approvals/{id}/{end}/{signature}") => {
            page("The form of that page answers the question, once.").form()
        }
        ("POST", "/v1/dashboard/link") => {
            gives::<DashboardLink>("A link that logs one browser in to the dashboard, once.")
        }
        ("GET", "/dashboard/login/{ticket}") => {
            other("Exchanges that link for a cookie, and leads on to `/dashboard/`.").with_status(303)
        }
        ("GET", "/dashboard") => other("The way there without its last stroke.").with_status(308),
        ("GET", "/dashboard/") => page("The dashboard, which asks for all that it shows by the other routes."),
        ("GET", "/dashboard/app.js") => other("Its script.").giving(SCRIPT),
        ("GET", "/dashboard/app.css") => other("Its style.").giving(STYLE),
        ("GET", "/dashboard/approvals") => page("Who is logged in and what waits for them, on a page without scripts."),
        ("GET", "/dashboard/approvals/{id}") => page("A question on a page. It changes nothing."),
        ("POST", "/dashboard/approvals/{id}") => page("The form of that page answers the question.").form(),
        ("POST", "/dashboard/logout") => page("The form of the page ends the login.").form(),
        ("GET", "/v1/audit/export") => other("Records, oldest first, in the formats of `rampart audit export`.")
            .giving(JSONL)
            .asked(FILTER)
            .asked(FORMAT),
        ("GET", "/v1/audit/stats") => gives::<Stats>("Decisions counted.").asked(FILTER).asked(TOP),
        ("GET", "/v1/audit/destinations") => {
            gives::<Vec<Destination>>("Where calls would go, in numbers.").asked(FILTER).asked(TOP)
        }
        ("POST", "/v1/policy/what-if") => {
            takes::<WhatIf, Replayed>("What a further policy or rule would have come to for the calls on record.")
        }
        ("GET", "/v1/credentials") => {
            gives::<Vec<BoundCredential>>("What is bound to hosts, by name and never by value.")
        }
        ("GET", "/v1/roads") => gives::<Vec<Road>>("How much each road holds, and what shows it."),
        ("GET", "/v1/mcp/servers") => {
            gives::<Vec<McpServer>>("What MCP servers offer: what was approved of it, and what waits for that.")
        }
        ("POST", "/v1/mcp/approve") => {
            takes::<ApproveMcp, ApprovedMcp>("Approves what a server offers, as it was seen.")
        }
        ("GET", "/v1/audit/verify") => gives::<Report>("Whether anybody changed the trail.").asked(HEAD),
        ("GET", "/v1/openapi.json") => gives::<Map<String, Value>>("This document."),
        ("GET", "/v1/status") => gives::<Status>("How the gateway is and what is in force."),
        ("GET", "/v1/whoami") => gives::<WhoAmI>("Who the caller is to the gateway, and what keeps them from more."),
        ("POST", "/v1/sessions") => takes::<OpenSession, OpenedSession>(
            "Opens a session and gives its credential, which reaches no further than having calls decided.",
        ),
        ("DELETE", "/v1/sessions/{session}") => {
            gives::<Noted>("Ends the session of a client of the listener whose credential is borne.")
        }
        ("GET", "/v1/sessions/{session}") => gives::<SessionSummary>("What became of the calls of a session."),
        ("GET", "/v1/tokens") => gives::<Vec<TokenInfo>>("The tokens there are, never their text."),
        ("POST", "/v1/tokens") => takes::<CreateToken, CreatedToken>("Makes a token. Only this answer holds its text."),
        ("DELETE", "/v1/tokens/{id}") => gives::<TokenInfo>("Ends a token at once, with all that is open under it."),
        ("POST", "/v1/tokens/{id}/rotate") => gives::<CreatedToken>("Gives a token a new text; the old one ends."),
        ("GET", "/v1/policy") => other("Gone: see `/v1/status` and `/v1/policies`.").with_status(410),
        ("GET", "/v1/policies") => gives::<Vec<Policy>>("The policies in force."),
        ("POST", "/v1/policy/reload") => gives::<PolicyStatus>("Loads the policy files again, now."),
        ("GET", "/v1/rules") => gives::<Vec<Rule>>("The human's own rules, in the order of their numbers."),
        ("POST", "/v1/rules") => takes::<NewRule, AddedRule>(
            "Adds one, tried out first: a rule that changes nothing is refused, and one that is there is not added again.",
        ),
        ("DELETE", "/v1/rules") => gives::<ResetRules>("Takes all of them back, and keeps a copy of the file."),
        ("DELETE", "/v1/rules/{rule}") => gives::<RemovedRule>("Takes one back, by its number or its name."),
        ("POST", "/v1/judge") => takes::<Call, Answer>(
            "A surface of Rampart's own has a call decided and recorded. Line ends before the answer are signs of life.",
        ),
        ("POST", "/v1/refused") => {
            takes::<Refused, Answer>("A surface of Rampart's own has recorded what it refused by itself.")
        }
        ("POST", "/v1/over") => takes::<Call, Noted>("A call that went on gets no answer any more."),
        ("POST", "/v1/closed") => takes::<ClosedRequest, Closed>(
            "Which calls of MCP tools are refused whatever their arguments, so that the tools need not be shown. Records nothing.",
        ),
        ("POST", "/v1/tool/{tool}") => takes::<ToolRequest, Decision>(
            "Decides about a call of a tool and records it. A question is held until it is answered or expires.",
        ),
        ("POST", "/v1/preflight/{tool}") => {
            takes::<ToolRequest, Decision>("Says what would be decided, and records nothing.")
        }
        ("POST", "/v1/scan") => {
            takes::<ScanRequest, Scanned>("Looks through a text for secrets, injections and hidden text.")
        }
        ("POST", "/v1/test") => takes::<TestRequest, Decision>(
            "Says what the rules in force, or a policy in the request, decide about a call.",
        ),
        ("GET", "/v1/approvals") => gives::<Vec<Pending>>("The questions that wait for a human, oldest first."),
        ("GET", "/v1/approvals/{id}") => gives::<Pending>("One of them, by any unique beginning of its id."),
        ("POST", "/v1/approvals/{id}/resolve") => takes::<Resolve, Resolved>("Answers a question."),
        ("GET", "/v1/audit/events") => {
            gives::<AuditEvents>("Records of the audit trail, as they stand in it.").asked(FILTER).asked(PART)
        }
        ("POST", "/v1/events/ticket") => gives::<Ticket>("A ticket with which a browser opens one event stream."),
        ("GET", "/v1/events/stream") => {
            other("Records as they are made, as server-sent events; `Last-Event-ID` goes on after a record.")
                .giving(EVENTS)
                .asked(TICKET)
        }
        _ => return None,
    };
    Some(about)
}
