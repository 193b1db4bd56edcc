//! A report as one page: no script, nothing from elsewhere, readable on paper. Every string of others is shown in plain
//! sight and escaped; the page's own policy lets nothing run or load even if that failed.

use html_escape::encode_quoted_attribute;
use rampart_gateway::{
    audit::report::{Coverage, Covers, Evidence},
    shown,
};

use super::Report;

const STYLE: &str = include_str!("page.css");
/// Characters of a text, and of a name.
const TEXT: usize = 400;
const NAME: usize = 120;

/// What a cell holds: text is escaped on its way in.
struct Cell {
    class: &'static str,
    html: String,
}

fn text(text: &str) -> Cell {
    Cell { class: "long", html: escape(&shown::one_line(text, TEXT)) }
}

fn name(text: &str) -> Cell {
    let shown = shown::one_line(text, NAME);
    Cell { class: "", html: if shown.is_empty() { "<span class=quiet>none</span>".to_owned() } else { escape(&shown) } }
}

fn code(text: &str) -> Cell {
    Cell { class: "", html: format!("<code>{}</code>", escape(&shown::one_line(text, TEXT))) }
}

fn number(count: u64) -> Cell {
    Cell { class: "number", html: count.to_string() }
}

/// A word of ours that has a colour.
fn word(word: &str) -> Cell {
    let class = ["allow", "watch", "ask", "webhook", "deny"].into_iter().find(|known| *known == word);
    let class = class.or(match word {
        "granted" => Some("allow"),
        "denied" => Some("deny"),
        "expired" | "cancelled" => Some("ask"),
        _ => None,
    });
    Cell { class: class.unwrap_or_default(), html: escape(&shown::one_line(word, NAME)) }
}

fn time(stamp: &str) -> Cell {
    let parsed = stamp.parse::<jiff::Timestamp>();
    let shown = parsed.map_or_else(|_| shown::one_line(stamp, NAME), |at| at.strftime("%F %H:%M:%S UTC").to_string());
    Cell { class: "nowrap", html: escape(&shown) }
}

/// The page.
pub(super) fn of(report: &Report) -> String {
    let found = &report.found;
    let mut html = format!(
        "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n\
         <meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=viewport content=\"width=device-width, initial-scale=1\">\n<title>Rampart report</title>\n\
         <style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>What agents did, and what was stopped</h1>\n"
    );
    html.push_str(&format!(
        "<p class=quiet>{} to {} · {} records · Rampart {} · <code>{}</code></p>\n</header>\n",
        time(&report.since).html,
        time(&report.made).html,
        found.records,
        report.version,
        escape(&shown::one_line(&report.home, TEXT)),
    ));
    html.push_str(&tiles(report));
    let rows = found.agents.iter().map(|agent| {
        let roads = agent.surfaces.join(", ");
        let (first, last) = (time(&agent.first), time(&agent.last));
        let counts = [agent.calls, agent.stopped, agent.sessions as u64].map(number);
        [vec![name(&agent.name)], counts.into(), vec![text(&roads), first, last]].into_iter().flatten().collect()
    });
    let headings = ["agent", "#calls", "#stopped", "#sessions", "roads", "first", "last"];
    html.push_str(&section("Agents", "", &table(report, "agents", &headings, rows)));
    let rows = found.stopped.iter().map(|it| {
        let agents = it.agents.join(", ");
        vec![name(&it.rule), word(&it.outcome), number(it.times), text(&it.message), code(&it.example), text(&agents)]
    });
    let headings = ["rule or reason", "said", "#times", "message", "the last", "agents"];
    let note = "Under “stopped” counts what was denied, asked about, or left to a service, whatever people said then; the newest example of each, without secrets.";
    html.push_str(&section(
        "What was refused or asked about, and why",
        note,
        &table(report, "stopped", &headings, rows),
    ));
    html.push_str(&questions(report));
    for (title, list, key, note) in [
        ("What calls would do", &found.effects, "effects", "As the analysis saw it; one call may count in several."),
        ("Destinations", &found.destinations, "destinations", "Hosts that were reached or would have been."),
        ("MCP servers", &found.servers, "servers", ""),
        ("Roads", &found.surfaces, "surfaces", "Where calls were met."),
    ] {
        let rows = list.iter().map(|it| vec![name(&it.name), number(it.calls), number(it.stopped)]);
        html.push_str(&section(title, note, &table(report, key, &["", "#calls", "#stopped"], rows)));
    }
    let rows = found.changes.iter().rev().map(|it| {
        let by = if it.by.is_empty() { "the gateway" } else { &it.by };
        vec![time(&it.at), name(&it.kind), name(&it.event), text(&it.subject), name(by)]
    });
    let body = table(report, "changes", &["when", "of", "what", "which", "by whom"], rows);
    html.push_str(&section("Changes of policy, configuration and tokens", "", &body));
    html.push_str(&trail(report));
    for (title, risks) in [
        ("OWASP Top 10 for Agentic Applications (2026)", &found.owasp_agentic),
        ("OWASP MCP Top 10 (2025)", &found.owasp_mcp),
    ] {
        let note = "How much of each risk is covered on the roads that lead through Rampart, what was seen of it in this \
                    time, and what is not covered.";
        html.push_str(&section(title, note, &risks.iter().map(risk).collect::<String>()));
    }
    html.push_str("</body>\n</html>\n");
    html
}

fn section(title: &str, note: &str, body: &str) -> String {
    let note = if note.is_empty() { String::new() } else { format!("<p class=quiet>{note}</p>\n") };
    format!("<section>\n<h2>{title}</h2>\n{note}{body}</section>\n")
}

fn tiles(report: &Report) -> String {
    let found = &report.found;
    let mut html = "<div class=tiles>\n".to_owned();
    let mut tile = |class: &str, count: &str, what: &str| {
        html.push_str(&format!("<div class=tile><b class={class}>{count}</b>{what}</div>\n"));
    };
    tile("watch", &report.calls().to_string(), "calls judged");
    tile("deny", &report.decided("deny").to_string(), "denied");
    tile("ask", &(report.decided("ask") + report.decided("webhook")).to_string(), "asked about");
    tile("watch", &found.agents.len().to_string(), "agents");
    if found.passed_although > 0 {
        tile("ask", &found.passed_although.to_string(), "would have been stopped and went on (mode monitor)");
    }
    if found.passed_unrecorded > 0 {
        tile("deny", &found.passed_unrecorded.to_string(), "passed without a record or an answer");
    }
    let (class, state) = if report.chain.ok { ("allow", "verified") } else { ("deny", "broken") };
    tile(class, state, "audit trail");
    html + "</div>\n"
}

fn questions(report: &Report) -> String {
    let found = &report.found;
    let steps: Vec<String> = found.questions.iter().map(|(event, count)| format!("{count} {event}")).collect();
    let steps = if steps.is_empty() { "None were put.".to_owned() } else { steps.join(", ") };
    let mut body = format!("<p>{}</p>\n", escape(&shown::one_line(&steps, TEXT)));
    if !found.people.is_empty() {
        let rows = found.people.iter().map(|it| vec![name(&it.name), number(it.granted), number(it.denied)]);
        body.push_str(&table(report, "people", &["who answered", "#granted", "#denied"], rows));
    }
    if !found.answers.is_empty() {
        let rows = found.answers.iter().rev().map(|it| {
            let who = if it.from.is_empty() { it.by.clone() } else { format!("{} ({})", it.by, it.from) };
            let what = [name(&it.agent), code(&it.subject), text(&it.reason)];
            [time(&it.at), word(&it.event), name(&who), name(&it.scope)].into_iter().chain(what).collect()
        });
        let headings = ["when", "answer", "by whom", "reaches", "agent", "what", "because"];
        body.push_str(&table(report, "answers", &headings, rows));
    }
    section("Questions to people", "", &body)
}

fn trail(report: &Report) -> String {
    let chain = &report.chain;
    let (class, state) = if chain.ok { ("allow", "verified") } else { ("deny", "not what was written") };
    let mut body = format!(
        "<p><b class={class}>{state}</b>: {} records in {} files, {} signed checkpoints; the last record is <code>{}</code>. \
         <code>rampart audit verify --witness FILE</code> holds it against what was kept elsewhere.</p>\n",
        chain.records,
        chain.segments,
        chain.checkpoints,
        escape(&shown::one_line(&chain.head, NAME)),
    );
    if !chain.problems.is_empty() || !chain.notes.is_empty() {
        let findings = chain.problems.iter().chain(&chain.notes);
        let rows =
            findings.map(|it| vec![code(&format!("{}:{}", it.file, it.line)), text(&it.message), text(&it.remedy)]);
        body.push_str(&table(report, "findings", &["where", "what", "what to do"], rows));
    }
    body.push_str("<h3>Troubles</h3>\n<p class=quiet>Where the trail, or what it was to tell, was not whole.</p>\n");
    let troubles = report.found.troubles.iter().rev();
    let rows = troubles.map(|it| vec![time(&it.at), name(&it.kind), name(&it.reason), text(&it.cause)]);
    body.push_str(&table(report, "troubles", &["when", "record", "reason", "cause"], rows));
    section("The trail", "", &body)
}

/// A table. A heading that begins with `#` is of numbers.
fn table(report: &Report, key: &str, headings: &[&str], rows: impl Iterator<Item = Vec<Cell>>) -> String {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return "<p class=quiet>None.</p>\n".to_owned();
    }
    let mut html = "<table>\n<tr>".to_owned();
    for heading in headings {
        match heading.strip_prefix('#') {
            Some(heading) => html.push_str(&format!("<th class=number scope=col>{heading}")),
            None => html.push_str(&format!("<th scope=col>{heading}")),
        }
    }
    for row in rows {
        html.push_str("\n<tr>");
        for Cell { class, html: cell } in row {
            html.push_str(&if class.is_empty() { format!("<td>{cell}") } else { format!("<td class={class}>{cell}") });
        }
    }
    html.push_str("\n</table>\n");
    if let Some(more) = report.found.left_out.get(key) {
        html.push_str(&format!("<p class=quiet>And {more} more, which are in the trail.</p>\n"));
    }
    html
}

fn risk(risk: &Coverage) -> String {
    let Coverage { id, title, covers, how, gap, evidence } = risk;
    let class = match covers {
        Covers::Mostly => "allow",
        Covers::Partly => "ask",
        Covers::Hardly => "deny",
    };
    let mut html = format!(
        "<div class=risk>\n<h3><span class=quiet>{id}</span> {title} <span class=\"mark {class}\">{} covered</span></h3>\n<p>{how}</p>\n<ul>\n",
        covers.as_str(),
        how = escape(how),
    );
    for Evidence { what, times, rules, surfaces } in evidence {
        html.push_str(&format!("<li><b>{times}</b> {}", escape(what)));
        let list = |all: &[(String, u64)]| {
            let each = all.iter().map(|(name, times)| format!("{} {times}", escape(&shown::one_line(name, NAME))));
            each.collect::<Vec<_>>().join(", ")
        };
        let by: Vec<String> = [("by ", list(rules)), ("on ", list(surfaces))]
            .into_iter()
            .filter(|(_, list)| !list.is_empty())
            .map(|(word, list)| format!("{word}{list}"))
            .collect();
        if *times > 0 && !by.is_empty() {
            html.push_str(&format!("<br><small>{}</small>", by.join("; ")));
        }
        html.push_str("</li>\n");
    }
    html.push_str(&format!("</ul>\n<p class=quiet>Not covered: {}</p>\n</div>\n", escape(gap)));
    html
}

fn escape(text: &str) -> String {
    encode_quoted_attribute(text).into_owned()
}
