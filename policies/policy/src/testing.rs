//! Runs the `tests` that stand in policy files.

use std::collections::BTreeSet;

use rampart_call::{Call, Judgement};

use crate::{Context, Diagnostic, History, SourceFile, ruleset::compile};

/// What became of one test.
#[derive(Debug, Clone)]
pub struct TestOutcome {
    /// The file it stands in.
    pub file: String,
    /// Line of the call.
    pub line: usize,
    /// The call.
    pub call: Call,
    /// The word after `expect:`.
    pub expected: String,
    /// The policy that was to decide, where the test says so.
    pub policy: Option<String>,
    /// The call was judged as expected, by the policy that was expected.
    pub passed: bool,
    /// How it was judged.
    pub judgement: Judgement,
}

/// The time tests take place at: 2026-01-01.
const NOW_MS: i64 = 1_767_225_600_000;

/// Loads the files together and runs all their tests.
///
/// # Errors
/// Everything that is wrong with the files.
pub fn run_tests(files: &[SourceFile]) -> Result<Vec<TestOutcome>, Vec<Diagnostic>> {
    let (loaded, tests) = compile(files)?;
    let history = History::default();
    let outcomes = tests.into_iter().map(|(file, test)| {
        let labels: BTreeSet<String> = test.labels.into_iter().collect();
        let context = Context {
            now_ms: NOW_MS,
            headless: test.headless,
            labels: &labels,
            confined: false,
            called: &test.called,
            history: &history,
            counted: false,
            rampart_home: None,
        };
        let judgement = loaded.ruleset.judge(&test.call, &context);
        let by = |name: &String| judgement.rule.as_ref().is_some_and(|r| r.policy == *name);
        let passed = test.expect.value.contains(&judgement.outcome) && test.policy.as_ref().is_none_or(by);
        let expected = test.expect_word;
        TestOutcome { file, line: test.line, call: test.call, expected, policy: test.policy, passed, judgement }
    });
    Ok(outcomes.collect())
}
