//! `docs/fault-matrix.md`, made from the tests. A test that injects a fault has the row's id in front of its name, such as
//! `d4_…`; those that are older or prove several rows are listed here.

use std::{collections::BTreeMap, path::Path, process::Command};

use crate::world::root;

/// The rows: id, and what is injected.
const ROWS: &[(&str, &str)] = &[
    ("D1", "the gateway is killed between a hook's question and its answer"),
    ("D2", "the same for the shell, the preload library, MCP and the proxy"),
    ("D3", "the gateway stands still and answers nothing"),
    ("D4", "what stands where the gateway's socket should is not our gateway"),
    ("D5", "the gateway is killed while it writes records at full rate"),
    ("D6", "the gateway is killed in the middle of rotation, checkpoint, policy change or approval"),
    ("D7", "a panic in the task of one connection"),
    ("D8", "two gateways on one home"),
    ("D9", "many large bodies at once in little memory"),
    ("D10", "no file descriptors are left"),
    ("D11", "SIGTERM with requests and questions in flight"),
    ("N1", "heads and bodies that arrive byte by byte"),
    ("N2", "very many connections"),
    ("N3", "heads that explode, floods of HTTP/2"),
    ("N4", "what is packed explodes"),
    ("N5", "lines without end, floods and ambiguous ids on the MCP road"),
    ("N6", "JSON with two readings"),
    ("N7", "connections that end in the middle"),
    ("N8", "origins that cannot prove who they are"),
    ("N9", "our own certificates and odd names in TLS"),
    ("N10", "names that lead to private addresses"),
    ("N11", "events without end, readers of them that do not read"),
    ("N12", "WebSockets that break the protocol"),
    ("N13", "requests that two servers would read differently"),
    ("N14", "destinations that CONNECT must not reach"),
    ("N15", "a webhook hangs, fails, redirects, answers without end"),
    ("N16", "a syslog collector is down and comes back"),
    ("S1", "the disk is full"),
    ("S2", "the disk becomes read-only"),
    ("S3", "the disk does not confirm a write"),
    ("S4", "short and interrupted writes"),
    ("S5", "the power fails at any point of a write"),
    ("S6", "the clock is set forward and back"),
    ("S7", "the machine sleeps"),
    ("S8", "a policy file that is written by halves"),
    ("S9", "YAML that parses and means less than it says"),
    ("S10", "the ways in which editors save"),
    ("S11", "10,000 policies"),
    ("S12", "a trail of a million records"),
    ("S13", "older programs, newer files, replayed bundles"),
    ("S14", "wrong owners, modes, links and pipes in the home"),
    ("A1", "many answers to one question at once"),
    ("A2", "an answer that comes too late"),
    ("A3", "another action than the one that was approved"),
    ("A4", "a grant that is used twice"),
    ("A5", "very many questions"),
    ("A6", "a question whose text deceives"),
    ("A7", "a link that is opened by a machine"),
    ("A8", "two people who must both agree"),
    ("C1", "names that lead to the loopback address"),
    ("C2", "requests from other sites"),
    ("C3", "a token in a URL"),
    ("C4", "guessing tokens"),
    ("C5", "an agent that looks for a token"),
    ("C6", "a surface's credential on the routes of people"),
    ("C7", "a credential that ends while it is used"),
    ("C8", "markup in what is shown"),
    ("C9", "paths that climb"),
    ("C10", "links that are swapped while files are written"),
    ("G1", "an agent changes Rampart's home by a file tool"),
    ("G2", "the same by any command"),
    ("G3", "an agent changes its host's settings, hooks and what shells and git run by themselves"),
    ("G4", "an agent runs what only people may: `allow`, `approve`, `token`, `serve stop`, `upgrade` and others"),
    ("G5", "an agent ends, stops or looks into the gateway"),
    ("G6", "a shell by its full path, a script with `#!`, another PATH"),
    ("G7", "an agent that strips the environment or does without libc"),
    ("G8", "an agent goes past the proxy"),
    ("G9", "what is written now and runs later"),
    ("G10", "commands that are encoded"),
    ("G11", "another clock for the asker"),
    ("G12", "an agent that starts very much"),
    ("G13", "a server that changes its tools after they were approved"),
    ("G14", "a cloned repository that brings a policy"),
];

/// Tests without a row's id in their name: row, file, name.
const ALSO: &[(&str, &str, &str)] = &[
    (
        "D1",
        "shim/shim/tests/processes/hook.rs",
        "every_agent_gets_a_refusal_within_two_seconds_from_a_gateway_that_fails",
    ),
    ("D1", "tests/hook.rs", "without_a_gateway_and_forbidden_to_start_one_a_hook_denies"),
    ("D2", "shim/shim/tests/processes/shell.rs", "a_gateway_that_fails_is_a_refusal_within_two_seconds"),
    ("D3", "tests/mcp.rs", "a_gateway_killed_in_the_middle_refuses_in_the_protocol_within_two_seconds"),
    ("D4", "shim/shim/tests/processes/hook.rs", "what_need_not_be_our_gateway_is_not_asked"),
    ("D5", "tests/audit/faults.rs", "kills_at_full_rate_lose_no_acknowledged_denial"),
    ("D6", "tests/audit/faults.rs", "a_kill_at_any_step_leaves_the_state_before_or_after"),
    (
        "D6",
        "gateway/gateway/src/audit/tests/crash.rs",
        "a_crash_at_any_step_of_a_new_segment_is_mended_by_the_next_start",
    ),
    ("D8", "tests/audit/faults.rs", "a_second_gateway_names_the_first_and_touches_nothing"),
    ("D11", "tests/approvals/restarts.rs", "questions_in_flight_survive_a_restart_and_whoever_asked_gets_the_answer"),
    ("N4", "egress/src/decode/tests.rs", "codings_that_nobody_knows_are_left"),
    ("N5", "tests/mcp.rs", "a_line_that_is_too_long_ends_the_session_with_an_error"),
    ("N5", "mcp/src/lines.rs", "an_endless_line_takes_no_memory"),
    ("N5", "mcp/src/message/tests.rs", "a_batch_is_refused_whatever_is_in_it"),
    ("N5", "mcp/src/relay/tests.rs", "one_id_for_two_requests_is_an_error_for_both"),
    ("N5", "mcp/src/relay/tests.rs", "responses_that_nobody_asked_for_go_nowhere"),
    ("N5", "mcp/src/relay/tests.rs", "a_flood_is_not_read_any_more"),
    ("N6", "policies/call/src/strict.rs", "what_means_two_things_is_refused"),
    ("N9", "certs/src/store.rs", "an_expired_authority_is_refused_with_the_remedy"),
    ("N9", "certs/src/store.rs", "a_key_that_others_can_read_is_refused_with_the_remedy"),
    ("N9", "certs/src/store.rs", "a_damaged_file_is_refused_and_left_alone"),
    ("N9", "egress/tests/outside/intercept.rs", "a_hello_in_small_pieces_is_understood"),
    ("N9", "egress/tests/outside/intercept.rs", "names_that_disagree_with_the_tunnel_are_refused"),
    ("N11", "egress/tests/outside/streaming.rs", "the_first_event_arrives_before_the_second_is_sent"),
    ("N14", "egress/tests/outside/intercept.rs", "only_tls_and_http_pass_through_a_tunnel"),
    ("N14", "egress/tests/outside/forward.rs", "credentials_name_the_session_and_stay_here"),
    ("N15", "tests/notify.rs", "a_webhook_that_hangs_holds_no_decision_and_its_losses_are_on_record"),
    ("N15", "tests/notify.rs", "a_redirect_is_not_followed_an_error_is_tried_again_and_an_endless_answer_is_cut"),
    ("N15", "tests/notify.rs", "a_service_that_gives_no_clear_answer_refuses_unless_it_may_fail_open"),
    ("N16", "tests/notify.rs", "a_collector_that_was_down_gets_every_record_in_order"),
    ("N16", "tests/notify.rs", "a_collector_that_hangs_holds_no_decision"),
    (
        "N16",
        "gateway/gateway/src/audit/sinks/feed/tests.rs",
        "who_was_away_for_too_long_gets_the_newest_and_the_rest_is_on_record",
    ),
    ("S1", "tests/audit.rs", "a_full_disk_denies_says_so_and_recovers_by_itself"),
    ("S2", "tests/audit/faults.rs", "a_disk_that_became_read_only_denies_and_everything_else_goes_on"),
    ("S3", "tests/audit/faults.rs", "a_disk_that_does_not_confirm_is_not_asked_again"),
    ("S4", "tests/audit/faults.rs", "interrupted_writes_tear_no_line"),
    ("S5", "gateway/gateway/src/audit/tests/power.rs", "ten_thousand_power_cuts_lose_nothing_that_was_told"),
    ("S6", "tests/approvals/restarts.rs", "no_clock_that_is_set_back_or_ahead_gives_or_takes_time"),
    ("S6", "tests/approvals/restarts.rs", "a_temporary_rule_ends_in_its_time_whatever_the_clock_says"),
    ("S7", "tests/approvals/restarts.rs", "what_expires_expires_while_the_machine_sleeps"),
    ("S12", "tests/audit/many.rs", "a_million_records_are_started_on_read_and_searched_quickly"),
    ("S13", "tests/upgrade.rs", "what_is_not_signed_not_whole_not_newer_or_does_not_run_changes_nothing"),
    ("S14", "tests/audit/faults.rs", "files_that_others_could_reach_are_refused_each_in_its_own_words"),
    ("S14", "gateway/gateway/src/home/tests.rs", "each_way_a_home_can_be_unsafe_is_refused_in_its_own_words"),
    ("A1", "tests/approvals/holding.rs", "of_64_answers_at_once_one_wins_and_the_others_learn_whose"),
    ("A1", "gateway/gateway/src/questions/tests.rs", "ten_thousand_races_have_one_winner_and_one_record_each"),
    ("A2", "tests/approvals/holding.rs", "what_comes_too_late_releases_nothing"),
    ("A3", "tests/approvals/restarts.rs", "an_answer_to_somebody_who_is_away_goes_to_the_very_same_call_once"),
    ("A4", "tests/approvals/restarts.rs", "an_answer_to_somebody_who_is_away_goes_to_the_very_same_call_once"),
    ("A5", "tests/approvals/holding.rs", "an_agent_that_floods_fills_its_own_share_and_disturbs_nobody"),
    ("A6", "tests/approvals/hostile.rs", "text_that_would_deceive_is_shown_for_what_it_is"),
    ("A7", "tests/approvals/links.rs", "looking_at_a_link_changes_nothing_and_its_form_answers_once"),
    ("C1", "tests/identity/control.rs", "only_the_names_of_loopback_are_answered"),
    ("C1", "tests/approvals/links.rs", "the_public_name_of_links_is_good_for_nothing_else"),
    ("C2", "tests/identity/control.rs", "what_a_page_of_another_site_can_send_is_refused"),
    ("C2", "gateway/api/src/tests/dashboard.rs", "nothing_is_changed_by_cookie_without_the_token_of_a_page"),
    ("C3", "gateway/api/src/tests/access.rs", "a_token_in_a_url_is_refused_with_and_without_a_good_one_beside_it"),
    ("C3", "tests/identity/control.rs", "a_ticket_opens_one_stream_once"),
    ("C4", "tests/identity/control.rs", "guessing_is_slow_and_hurts_nobody_else"),
    ("C5", "tests/identity/control.rs", "other_processes_of_the_user_cannot_look_into_the_gateway"),
    ("C5", "tests/identity.rs", "an_agents_environment_holds_no_token_of_a_person"),
    (
        "C6",
        "gateway/api/src/tests/access.rs",
        "every_route_is_open_to_its_scope_and_closed_to_all_others_by_both_doors",
    ),
    ("C7", "tests/identity.rs", "what_a_token_has_open_ends_within_a_second_of_it"),
    ("G4", "tests/identity.rs", "an_agent_cannot_answer_its_own_question_however_it_tries"),
    ("G5", "tests/identity/control.rs", "other_processes_of_the_user_cannot_look_into_the_gateway"),
    ("G7", "tests/preload/coverage.rs", "every_way_to_start_a_program_is_as_the_page_says"),
    ("G11", "tests/approvals/restarts.rs", "a_temporary_rule_ends_in_its_time_whatever_the_clock_says"),
    ("G13", "tests/mcp_pins.rs", "what_a_server_changes_is_hidden_and_refused_until_a_person_approves_it"),
    ("G14", "tests/policy.rs", "a_cloned_project_may_restrict_and_not_loosen"),
];

/// What of a row no test shows, and why.
const NOT_SHOWN: &[(&str, &str)] = &[
    (
        "D1",
        "the egress proxy in monitor mode: it is part of the gateway and ends with it, so there is nothing that could let a request pass",
    ),
    ("N4", "archives through file tools: none of our roads unpacks any"),
    ("N8", "the cases of x509-limbo are not run here"),
    ("N8", "revocation that somebody else must be asked about (OCSP): nobody is, which docs/egress.md says"),
    (
        "S6",
        "a record of its own for a clock that was set: every record bears the wall clock and the time since boot, which shows it",
    ),
    ("S14", "a home on NFS, which needs a server in the kernel"),
    (
        "G1",
        "Landlock, another user and the sidecar, here and in the rows below: the jail and the sidecar are tried as a whole (`tests/jail/`, `tests/docker/`), not row by row; another user is C5",
    ),
    (
        "G2",
        "`git -C` on Rampart's home and what a program does there by its own code: no rule sees it; the library does with `--files`",
    ),
    (
        "G5",
        "`kill` with the gateway's number: a number does not say whose process it is, so no rule refuses it; then every surface refuses",
    ),
    ("G7", "io_uring and `ld.so PROGRAM`: not tried"),
];

/// Rows whose tests are still to be written. A row leaves this list with its first test.
const UNTESTED: &[&str] = &[];

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Test {
    file: String,
    name: String,
}

/// Every test in the repository whose name begins with the id of a row.
fn named() -> BTreeMap<String, Vec<Test>> {
    let list = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "*.rs"])
        .current_dir(root())
        .output()
        .unwrap();
    let mut found: BTreeMap<String, Vec<Test>> = BTreeMap::new();
    for file in String::from_utf8(list.stdout).unwrap().lines() {
        let text = std::fs::read_to_string(root().join(file)).unwrap_or_default();
        for name in tests(&text) {
            let id = name.split('_').next().unwrap_or_default().to_uppercase();
            if ROWS.iter().any(|(row, _)| *row == id) {
                found.entry(id).or_default().push(Test { file: file.to_owned(), name });
            }
        }
    }
    for tests in found.values_mut() {
        tests.sort();
    }
    found
}

/// The names of the test functions in a source file.
fn tests(text: &str) -> Vec<String> {
    let mut is_test = false;
    let mut names = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("#[") {
            is_test |= line.starts_with("#[test") || line.starts_with("#[tokio::test");
        } else if let Some((_, rest)) = line.split_once("fn ").filter(|_| is_test) {
            names.extend(rest.split(['(', '<']).next().map(str::to_owned));
            is_test = false;
        }
    }
    names
}

fn page() -> String {
    let mut page = String::from(
        "# Faults and what becomes of them\n\nEach line is a test that injects the fault into the real program, from outside where that is possible; the\n\
         sentence is the test's name. `cargo test -p rampart-tests` runs those in `tests/`. This page is made from the\n\
         tests: `UPDATE_DOCS=1 cargo test -p rampart-tests fault` writes it.\n\n| # | fault | what is shown | where |\n|---|---|---|---|\n",
    );
    let mut named = named();
    for (id, fault) in ROWS {
        let mut tests = named.remove(*id).unwrap_or_default();
        let also = ALSO.iter().filter(|(row, ..)| row == id);
        tests.extend(also.map(|(_, file, name)| Test { file: (*file).to_owned(), name: (*name).to_owned() }));
        let (mut row, mut what) = (*id, *fault);
        for Test { file, name } in &tests {
            let sentence = name.strip_prefix(&format!("{}_", id.to_lowercase())).unwrap_or(name).replace('_', " ");
            page.push_str(&format!("| {row} | {what} | {sentence} | `{file}` |\n"));
            (row, what) = ("", "");
        }
        for (_, why) in NOT_SHOWN.iter().filter(|(row, _)| row == id) {
            page.push_str(&format!("| {row} | {what} | **not shown:** {why} | |\n"));
            (row, what) = ("", "");
        }
        if row == *id {
            page.push_str(&format!("| {row} | {what} | **no test yet** | |\n"));
        }
    }
    page
}

#[test]
fn every_fault_has_a_test_or_a_reason_and_the_page_tells_both() {
    let mut named = named();
    for (id, file, name) in ALSO {
        let text = std::fs::read_to_string(root().join(file)).unwrap_or_default();
        assert!(tests(&text).iter().any(|test| test == name), "{id}: there is no test `{name}` in {file}");
        named.entry((*id).to_owned()).or_default().push(Test { file: (*file).to_owned(), name: (*name).to_owned() });
    }
    for (id, _) in ROWS {
        let proved = named.contains_key(*id) || NOT_SHOWN.iter().any(|(row, _)| row == id);
        assert!(proved || UNTESTED.contains(id), "{id} has neither a test nor a reason");
        assert!(
            !(named.contains_key(*id) && UNTESTED.contains(id)),
            "{id} has a test: take it off the list of those without"
        );
    }
    let path = root().join("docs/fault-matrix.md");
    let page = page();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let committed = std::fs::read_to_string(Path::new(&path)).unwrap_or_default();
    assert!(committed == page, "docs/fault-matrix.md is not what the tests say; write it with UPDATE_DOCS=1");
}
