//! What the bodies of requests do: each document is read like the arguments of a tool whose name is method and path.

use rampart_call::EffectKind;
use rampart_shell::{Surroundings, service, verbs};
use serde_json::Value;

use super::{
    LONGEST, batches, deployed, guards, masses, ownership, payments, queries, relays, rights, switches, variables,
};
use crate::{facts::Known, pattern::UrlParts, sets::Sets};

impl Known<'_> {
    /// What the document of a request destroys, gives away or turns off: method and path are read like the name of a tool.
    pub(in crate::facts) fn add_document(
        &mut self,
        request: &service::Request<'_>,
        around: &Surroundings<'_>,
        sets: &Sets,
    ) {
        self.add_asked(request.method, request.url, around, sets);
        if !matches!(request.method, "POST" | "PUT" | "PATCH") {
            return;
        }
        self.add_pairs(request, around, sets);
        let body = request.body.filter(|body| body.len() <= LONGEST && body.trim_start().starts_with(['{', '[', '-']));
        let (Some(body), Some(url)) = (body, UrlParts::parse(request.url)) else { return };
        let apart = service::is_near(&url.host) || batches::is_told(&url.path);
        // wallets listen nearby
        if apart && !body.contains("\"method\"") {
            return;
        }
        let documents = batches::documents(body);
        if documents.iter().any(|document| payments::sends_coins(request.url, document)) {
            self.note(EffectKind::RemoteMutate, "payment", around, sets);
        }
        if apart {
            return;
        }
        let Some(name) = name_of(request.method, &url.path) else { return };
        let server = verbs::words(&url.host);
        let many = verbs::any(&name, batches::MANY);
        self.add_workflow(&url.path, body, around, sets);
        if many && batches::is_part_deleting(body) {
            self.note(EffectKind::RemoteMutate, "remote-delete", around, sets);
        }
        let later = verbs::any(&name, &["cron", "job", "jobs", "schedule", "schedules", "task", "tasks"]);
        for document in documents {
            self.add_told(&server, &name, &document, around, sets);
            if later && batches::asks_later(&document, 0) {
                self.note(EffectKind::RemoteMutate, "remote-delete", around, sets);
            }
            if let Some((kind, note)) = deployed::inside(&document, 0) {
                self.note(kind, note, around, sets);
            }
            if queries::mutates_to_public(&document) {
                self.note(EffectKind::RemoteMutate, "publish", around, sets);
            }
            for (method, place, document) in batches::requests(&document) {
                if let Some(name) = name_of(&method, place) {
                    self.add_told(&server, &name, document, around, sets);
                }
            }
            if batches::destroy(&document, many || document.is_array()) {
                self.note(EffectKind::RemoteMutate, "remote-delete", around, sets);
            }
            for line in batches::started(&document) {
                self.add_remote(&line, around, sets);
            }
            for text in batches::statements(&document).into_iter().filter(|text| queries::is_whole(text)) {
                self.add_sql(text, around, sets);
            }
        }
    }

    /// What a form gives away, turns off or hands on, and without a body the place and its query.
    fn add_pairs(&mut self, request: &service::Request<'_>, around: &Surroundings<'_>, sets: &Sets) {
        let document = match request.body.filter(|body| !body.is_empty()) {
            Some(body) => batches::form(body),
            None => Some(request.url.split_once('?').and_then(|(_, query)| batches::form(query)).unwrap_or_default()),
        };
        let (Some(document), Some(url)) = (document, UrlParts::parse(request.url)) else { return };
        if !service::is_near(&url.host)
            && !batches::is_told(&url.path)
            && let Some(name) = name_of(request.method, &url.path)
        {
            self.add_told(&verbs::words(&url.host), &name, &document, around, sets);
        }
    }

    /// What a document gives away, turns off, opens or hands on, at a place whose words are read like the name of a tool.
    /// `server` are the words of the host.
    pub(super) fn add_told(
        &mut self,
        server: &[String],
        name: &[String],
        document: &Value,
        around: &Surroundings<'_>,
        sets: &Sets,
    ) {
        if rights::grants(name, document) {
            self.note(EffectKind::Privilege, "access-grant", around, sets);
        }
        if guards::weakens(server, name, document) {
            self.note(EffectKind::Privilege, "security-setting", around, sets);
        }
        if switches::are_turned(server, name, document) {
            self.note(EffectKind::RemoteMutate, "deploy", around, sets);
        }
        if let Some(note) = rights::opens(name, document) {
            self.note(EffectKind::Privilege, note, around, sets);
        }
        if payments::pays(name, document) {
            self.note(EffectKind::RemoteMutate, "payment", around, sets);
        }
        if masses::clear(server, name, document) {
            self.note(EffectKind::RemoteMutate, "remote-delete", around, sets);
        }
        if ownership::hands_over(name, document) {
            self.note(EffectKind::Privilege, "access-grant", around, sets);
        }
        for command in variables::set(name, document) {
            self.suspect(&command, around, sets);
        }
        if relays::relays(&[], name, document) {
            self.note(EffectKind::Persist, "relay", around, sets);
        }
    }
}

/// A request by its method and place, as the words of a tool's name; none for one that only asks.
pub(super) fn name_of(method: &str, place: &str) -> Option<Vec<String>> {
    let verb = match method {
        "POST" => "create",
        "PUT" => "set",
        "PATCH" => "update",
        _ => return None,
    };
    let path = place.split(['?', '#']).next().unwrap_or(place);
    Some(std::iter::once(verb.to_owned()).chain(verbs::words(path)).collect())
}
