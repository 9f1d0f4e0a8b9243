use howso_infra::core::plan::Change;
use howso_infra::core::spec::{Layers, resolve};
use howso_infra::core::{ErrorKind, Finding, Leftover, OperationVerb, Reason};
use howso_infra::engine::Counts;

use super::*;
use crate::samples::{decision, error, id, plan};

const PLAIN: Style = Style { colour: false, unicode: true, verbose: false };

fn text(failure: &Failure) -> String {
    FailureReport { failure, resume: Some("howso-infra up") }.text(PLAIN)
}

fn wrong_spec() -> Failure {
    let text = "name = \"Demo\"\nprovider = \"toy\"\n\n[core]\nnodez = 3\n";
    let layers =
        Layers::new().file("howso-infra.toml".into(), text).unwrap().flag("--region", "region", "here").unwrap();
    let layers = layers.flag("--worker-max", "workers.default.max", "many").unwrap();
    Failure::Spec(resolve(&layers, &BTreeMap::new()).unwrap_err())
}

#[test]
fn mistakes_in_a_file_point_at_their_place() {
    insta::assert_snapshot!(text(&wrong_spec()), @r#"
    error: howso-infra.toml:1:8: name: `Demo` is not a cluster name
       ╭─[howso-infra.toml:1:8]
     1 │ name = "Demo"
       ·        ──────
     2 │ provider = "toy"
       ╰────
    error: howso-infra.toml:5:1: core.nodez: unknown key `nodez`
       ╭─[howso-infra.toml:5:1]
     4 │ [core]
     5 │ nodez = 3
       · ─────
       ╰────
    error: --worker-max: workers.default.max: expected a whole number, found "many"

    hint: name: a lower-case letter, then up to 31 lower-case letters, digits and hyphens, not ending with a hyphen
    hint: core.nodez: did you mean `nodes`?
    "#);
}

#[test]
fn plain_mistakes_are_drawn_in_ascii() {
    let text = FailureReport { failure: &wrong_spec(), resume: None }.text(Style { unicode: false, ..PLAIN });
    assert!(text.is_ascii(), "{text}");
    assert!(text.contains("5 | nodez = 3"), "{text}");
}

#[test]
fn failures_with_one_root_are_one_cause_and_followers_are_counted() {
    let quota = || ErrorKind::Quota { what: "vCPUs".to_owned() };
    let failure = |resource: &str, kind, message: &str, skipped| StepFailure {
        resource: id(resource),
        verb: OperationVerb::Create,
        error: error(kind, message),
        skipped,
    };
    let mut failures = vec![
        failure("toy/pool:core", quota(), "limit reached", 2),
        failure("toy/pool:worker", quota(), "limit reached", 1),
        failure("toy/role:node", ErrorKind::Failed, "broken", 0),
    ];
    failures[0].error.hint = Some("ask for a higher limit".to_owned());
    failures[1].error.hint = Some("ask for a higher limit".to_owned());
    failures[2].error.request_id = Some("r-42".to_owned());
    let counts = Counts { total: 9, settled: 3, failed: 3, skipped: 3, ..Counts::default() };
    let outcome = Outcome { failures, counts, ..Outcome::default() };
    let failure = Failure::Unfinished { direction: Direction::Up, outcome: Box::new(outcome) };
    insta::assert_snapshot!(text(&failure), @"
    error: 3 steps failed: 3 of 9 steps are done
      cause: toy/role:node could not be created: toy:Make: broken
      cause: request id of toy/role:node: r-42
      cause: toy/pool:core, toy/pool:worker could not be created: toy:Make: limit reached; 3 steps that follow were not tried

    hint: ask for a higher limit
    hint: run `howso-infra up` again to resume
    ");
}

#[test]
fn an_interrupted_run_says_how_to_go_on() {
    let counts = Counts { total: 9, settled: 3, unfinished: 1, not_started: 5, ..Counts::default() };
    let outcome = Outcome { interruption: Some(Interruption::Requested), counts, ..Outcome::default() };
    let failure = Failure::Unfinished { direction: Direction::Up, outcome: Box::new(outcome) };
    insta::assert_snapshot!(text(&failure), @"
    error: interrupted: 3 of 9 steps are done
      cause: 1 step is under way in the cloud; the next run waits for them

    hint: what is done stays; `howso-infra down` removes it
    hint: run `howso-infra up` again to resume
    ");
}

#[test]
fn what_is_blocked_is_named_with_its_cure() {
    let foreign = Reason::Foreign { evidence: "tag owner=somebody".to_owned(), physical_id: "r-1".to_owned() };
    let follows = Reason::DependencyBlocked { dependency: id("toy/role:node") };
    let report = vec![
        decision("toy/role:node", Change::Blocked, foreign),
        decision("toy/pool:core", Change::Blocked, follows.clone()),
        decision("toy/pool:worker", Change::Blocked, follows),
    ];
    let failure = Failure::Blocked(Box::new(plan(Direction::Up, Vec::new(), report)));
    insta::assert_snapshot!(text(&failure), @"
    error: the plan is blocked, so nothing was changed
      cause: toy/role:node: r-1 is not ours: tag owner=somebody
      cause: 2 more resources depend on what is blocked

    hint: choose another name with --name, or remove what is in the way if it is yours
    ");
}

#[test]
fn what_could_not_be_read_is_tried_again() {
    let gap = Reason::Gap { error: error(ErrorKind::Transient, "no answer") };
    let report = vec![decision("toy/role:node", Change::Blocked, gap)];
    let text = text(&Failure::Blocked(Box::new(plan(Direction::Up, Vec::new(), report))));
    assert!(text.contains("cause: toy/role:node: could not be read: toy:Make: no answer\n"), "{text}");
    assert!(text.ends_with("hint: then run `howso-infra up` again\n"), "{text}");
}

#[test]
fn findings_are_listed_with_their_cures() {
    let finding = |subject: &str, kind| Finding {
        severity: Severity::Blocking,
        subject: subject.to_owned(),
        message: "8 needed, 4 left".to_owned(),
        cure: Some("ask for more".to_owned()),
        kind: Some(kind),
    };
    let quota = ErrorKind::Quota { what: "vCPUs".to_owned() };
    insta::assert_snapshot!(text(&Failure::Unfit(vec![finding("quota: vCPUs", quota)])), @"
    error: the checks found what would make this fail, so nothing was changed
      ✗ quota: vCPUs: 8 needed, 4 left
          hint: ask for more

    hint: cure this, then run `howso-infra up` again
    ");
}

#[test]
fn leftovers_are_listed_by_their_identifiers() {
    let leftover = Leftover {
        what: "network interface".to_owned(),
        physical_id: "eni-1".to_owned(),
        advice: "delete it in the console".to_owned(),
    };
    insta::assert_snapshot!(text(&Failure::LeftBehind { failures: Vec::new(), leftovers: vec![leftover], remaining: None }), @"
    error: the removal left something behind
      cause: network interface eni-1: delete it in the console

    hint: remove what is listed, then run the command again to be sure
    ");
}

#[test]
fn a_lease_that_is_held_says_that_nothing_was_changed() {
    let held = JournalError::Held { place: "demo.journal".to_owned(), by: None, until: None };
    let text = text(&Failure::from(howso_infra::Error::Journal(held)));
    assert!(text.starts_with("error: the journal demo.journal is in use by another process\n"), "{text}");
    assert!(text.contains("hint: nothing was changed"), "{text}");
}

#[test]
fn causes_are_printed_one_a_line_and_not_twice() {
    let source = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
    let text = text(&Failure::File { action: "write", path: "plan.json".into(), source });
    assert_eq!(
        text,
        "error: cannot write plan.json\n  cause: permission denied\n\nhint: check the permissions, or choose another place\n"
    );
}

#[test]
fn programs_get_the_exit_code_and_every_mistake() {
    let json = FailureReport { failure: &wrong_spec(), resume: None }.json();
    assert_eq!(json["exit_code"], 2);
    assert!(json["errors"].as_array().unwrap().len() >= 3, "{json}");
}
