//! `GET /v1/openapi.json`: the API described (OpenAPI 3.1). Paths, methods and scopes come from the table of routes, so none
//! can be missing; shapes come from the types that are read and written. `docs/openapi.json` is this document.

mod about;

use axum::Json;
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use rampart_client::wire;

use self::about::{About, about};
use crate::{
    Scope,
    routes::{Door, table},
};

/// The document as it is served.
pub(crate) async fn show() -> Json<Value> {
    Json(document())
}

pub(crate) fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|s| s.definitions_path = "/components/schemas".into());
    let mut generator = settings.into_generator();
    let error = generator.subschema_for::<wire::ErrorBody>();
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
    let mut failed_page = failed.clone();
    failed_page["content"][about::HTML] = json!({"schema": {"type": "string"}});
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Rampart gateway", "version": "v1",
            "description": "Answered on the gateway's Unix socket and on loopback. `x-rampart-scope` is what a caller needs."},
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "responses": {"Error": failed, "ErrorPage": failed_page},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": "rampart_session",
                    "description": "Given by a login to the dashboard; what changes something bears `x-rampart-csrf` too."},
            },
        },
    })
}

fn operation(method: &str, path: &str, scope: Scope, door: Door, generator: &mut SchemaGenerator) -> Value {
    let Some(About { text, status, takes, gives, asked }) = about(method, path) else { return Value::Null };
    let mut done = json!({"description": if status < 400 { "Done." } else { "Not here." }});
    if let (Some((media, schema)), Value::Object(done)) = (gives, &mut done) {
        let schema = schema.map_or_else(|| json!({"schema": {"type": "string"}}), |s| json!({"schema": s(generator)}));
        done.insert("content".to_owned(), json!({media: schema}));
    }
    let error =
        if path.starts_with("/v1/") || path == "/healthz" || path == "/metrics" { "Error" } else { "ErrorPage" };
    let mut operation = json!({
        "summary": text,
        "responses": {status.to_string(): done, "default": {"$ref": format!("#/components/responses/{error}")}},
        "x-rampart-scope": scope.as_str(),
        "x-rampart-socket-only": door == Door::Socket,
        "security": if scope == Scope::Open { json!([]) } else { json!([{"token": []}, {"cookie": []}]) },
    });
    let Value::Object(fields) = &mut operation else { return operation };
    let gaps = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let gaps = gaps.map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}));
    let asked = asked
        .into_iter()
        .map(|(name, text)| json!({"name": name, "in": "query", "description": text, "schema": {"type": "string"}}));
    let parameters: Vec<_> = gaps.chain(asked).collect();
    if !parameters.is_empty() {
        fields.insert("parameters".to_owned(), parameters.into());
    }
    if let Some((media, schema)) = takes {
        let body = json!({"required": true, "content": {media: {"schema": schema(generator)}}});
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
