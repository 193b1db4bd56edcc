//! `GET /v1/openapi.json`: the API described (OpenAPI 3.1). Paths, methods and scopes come from the table of routes, so none
//! can be missing; shapes come from the types that are read and written. `docs/openapi.json` is this document.

use axum::Json;
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use rampart_client::wire;

use crate::{
    Scope,
    routes::{Door, table},
};

/// What a route is for, and the shapes of what it takes and gives.
struct About {
    text: &'static str,
    takes: Option<Shape>,
    gives: Option<Shape>,
}

type Shape = fn(&mut SchemaGenerator) -> Schema;

fn shape<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// Gives JSON of a type.
fn gives<T: JsonSchema>(text: &'static str) -> About {
    About { text, takes: None, gives: Some(shape::<T>) }
}

/// Takes JSON of one type and gives that of another.
fn takes<T: JsonSchema, U: JsonSchema>(text: &'static str) -> About {
    About { text, takes: Some(shape::<T>), gives: Some(shape::<U>) }
}

/// Gives something that is no type of ours.
fn other(text: &'static str) -> About {
    About { text, takes: None, gives: None }
}

/// A line for each route of the table; a test misses those that are not here.
fn about(method: &str, path: &str) -> Option<About> {
    use wire::{
        AddedRule, CreateToken, CreatedToken, DashboardLink, Decision, NewRule, OpenSession, OpenedSession, Pending,
        Policy, PolicyStatus, RemovedRule, ResetRules, Resolve, Resolved, Rule, ScanRequest, Scanned, SessionSummary,
        Status, TestRequest, Ticket, TokenInfo, ToolRequest, WhoAmI,
    };
    let about = match (method, path) {
        ("GET", "/healthz") => other("Whether decisions can be made and recorded: 200, or 503 where not."),
        ("GET", "/metrics") => other("What is counted, as Prometheus reads it."),
        ("GET", "/approvals/{id}/{end}/{signature}") => other("The page behind a signed link. It changes nothing."),
        ("POST", "/approvals/{id}/{end}/{signature}") => other("The form of that page answers the question, once."),
        ("POST", "/v1/dashboard/link") => {
            gives::<DashboardLink>("A link that logs one browser in to the dashboard, once.")
        }
        ("GET", "/dashboard/login/{ticket}") => other("Exchanges that link for a cookie."),
        ("GET", "/dashboard") => other("308 to `/dashboard/`."),
        ("GET", "/dashboard/") => other("The page of the browser that is logged in."),
        ("GET", "/dashboard/approvals/{id}") => other("A question on a page. It changes nothing."),
        ("POST", "/dashboard/approvals/{id}") => other("The form of that page answers the question."),
        ("POST", "/dashboard/logout") => other("The form of the page ends the login."),
        ("GET", "/v1/audit/export") => other("Records in the formats of `rampart audit export`."),
        ("GET", "/v1/audit/stats") => other("Decisions counted."),
        ("GET", "/v1/audit/verify") => other("Whether anybody changed the trail."),
        ("GET", "/v1/openapi.json") => other("This document."),
        ("GET", "/v1/status") => gives::<Status>("How the gateway is and what is in force."),
        ("GET", "/v1/whoami") => gives::<WhoAmI>("Who the caller is to the gateway, and what keeps them from more."),
        ("POST", "/v1/sessions") => takes::<OpenSession, OpenedSession>(
            "Opens a session and gives its credential, which reaches no further than having calls decided.",
        ),
        ("GET", "/v1/sessions/{session}") => gives::<SessionSummary>("What became of the calls of a session."),
        ("GET", "/v1/tokens") => gives::<Vec<TokenInfo>>("The tokens there are, never their text."),
        ("POST", "/v1/tokens") => takes::<CreateToken, CreatedToken>("Makes a token. Only this answer holds its text."),
        ("DELETE", "/v1/tokens/{id}") => gives::<TokenInfo>("Ends a token at once, with all that is open under it."),
        ("POST", "/v1/tokens/{id}/rotate") => gives::<CreatedToken>("Gives a token a new text; the old one ends."),
        ("GET", "/v1/policy") => other("410: see `/v1/status` and `/v1/policies`."),
        ("GET", "/v1/policies") => gives::<Vec<Policy>>("The policies in force."),
        ("POST", "/v1/policy/reload") => gives::<PolicyStatus>("Loads the policy files again, now."),
        ("GET", "/v1/rules") => gives::<Vec<Rule>>("The human's own rules, in the order of their numbers."),
        ("POST", "/v1/rules") => takes::<NewRule, AddedRule>(
            "Adds one, tried out first: a rule that changes nothing is refused, and one that is there is not added again.",
        ),
        ("DELETE", "/v1/rules") => gives::<ResetRules>("Takes all of them back, and keeps a copy of the file."),
        ("DELETE", "/v1/rules/{rule}") => gives::<RemovedRule>("Takes one back, by its number or its name."),
        ("POST", "/v1/judge") => other("A surface of Rampart's own has a call decided and recorded."),
        ("POST", "/v1/refused") => other("A surface of Rampart's own has recorded what it refused by itself."),
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
        ("GET", "/v1/audit/events") => gives::<wire::AuditEvents>("Records of the audit trail, as they stand in it."),
        ("POST", "/v1/events/ticket") => gives::<Ticket>("A ticket with which a browser opens one event stream."),
        ("GET", "/v1/events/stream") => other(
            "Records as they are made, as server-sent events; `Last-Event-ID` goes on after a record, `?ticket=` stands \
             in for a token, once.",
        ),
        _ => return None,
    };
    Some(about)
}

/// The document as it is served.
pub(crate) async fn show() -> Json<Value> {
    Json(document())
}

pub(crate) fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|s| s.definitions_path = "/components/schemas".into());
    let mut generator = settings.into_generator();
    let error = shape::<wire::ErrorBody>(&mut generator);
    let mut paths = Map::new();
    for (method, path, scope, door, _) in table() {
        let operation = operation(method, path, scope, door, &mut generator);
        let at = paths.entry(path).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(methods) = at {
            methods.insert(method.to_lowercase(), operation);
        }
    }
    let failed = json!({"description": "An error with a stable code; docs/api.md lists them.",
        "content": {"application/json": {"schema": error}}});
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Rampart gateway", "version": "v1",
            "description": "Answered on the gateway's Unix socket and on loopback. `x-rampart-scope` is what a caller needs."},
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "responses": {"Error": failed},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    })
}

fn operation(method: &str, path: &str, scope: Scope, door: Door, generator: &mut SchemaGenerator) -> Value {
    let About { text, takes, gives } = about(method, path).unwrap_or(About { text: "", takes: None, gives: None });
    let mut ok = json!({"description": "Done."});
    if let (Some(schema), Value::Object(ok)) = (gives, &mut ok) {
        ok.insert("content".to_owned(), json!({"application/json": {"schema": schema(generator)}}));
    }
    let mut operation = json!({
        "summary": text,
        "responses": {"200": ok, "default": {"$ref": "#/components/responses/Error"}},
        "x-rampart-scope": scope.as_str(),
        "x-rampart-socket-only": door == Door::Socket,
        "security": if scope == Scope::Open { json!([]) } else { json!([{"token": []}]) },
    });
    let Value::Object(fields) = &mut operation else { return operation };
    let gaps = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameters: Vec<_> =
        gaps.map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}})).collect();
    if !parameters.is_empty() {
        fields.insert("parameters".to_owned(), parameters.into());
    }
    if let Some(schema) = takes {
        let body = json!({"required": true, "content": {"application/json": {"schema": schema(generator)}}});
        fields.insert("requestBody".to_owned(), body);
    }
    operation
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn every_route_is_described() {
        for (method, path, ..) in table() {
            assert!(about(method, path).is_some(), "add a line for {method} {path} to `about`");
        }
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a person asks the test to write the file")]
    fn the_document_in_docs_is_the_one_that_is_served() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
        let now = format!("{:#}\n", document());
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&file, &now).unwrap();
        }
        assert!(fs::read_to_string(&file).unwrap_or_default() == now, "docs/openapi.json is old: test with UPDATE=1");
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        let mut places = vec![&document];
        while let Some(place) = places.pop() {
            match place {
                Value::Object(fields) => {
                    if let Some(to) = fields.get("$ref").and_then(Value::as_str) {
                        assert!(document.pointer(to.trim_start_matches('#')).is_some(), "{to}");
                    }
                    places.extend(fields.values());
                }
                Value::Array(items) => places.extend(items),
                _ => {}
            }
        }
    }
}
