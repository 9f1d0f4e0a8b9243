use super::*;
use crate::samples;

const PLAIN: Style = Style { colour: false, unicode: true, verbose: false };

fn text(prepared: &Prepared, style: Style) -> String {
    PlanReport { spec: &samples::spec(), prepared }.text(style)
}

#[test]
fn a_creation_names_everything_with_what_tells_it_apart() {
    insta::assert_snapshot!(text(&samples::creation(), PLAIN), @"
    demo (toy, here, profile large)                             4 to create, 0 to change, 0 to remove
        + toy/network:main  range 10.42.0.0/16, zones 3
        + toy/cluster:main  Kubernetes 1.34, private
        + toy/pool:core     labels role=core, max 3
        + toy/pool:worker   labels role=worker, max 20
      core: m7i.2xlarge at $0.40/h; next: m6i.2xlarge at $0.41/h
      warning: zone c has no capacity and is left out
      about 12 min · $1.34/h idle · $16.70/h at the maximum · $3,436 a month with 160 h at the maximum (here, on demand, 2026-07)
    ");
}

#[test]
fn what_has_room_is_told_below_the_choices() {
    let mut prepared = samples::creation();
    prepared.fit = Some(samples::fit());
    let text = text(&prepared, PLAIN);
    let told: Vec<&str> = text.lines().skip_while(|line| !line.contains("fits")).take(6).collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn changes_say_what_why_and_what_to_do() {
    insta::assert_snapshot!(text(&samples::changes(), PLAIN), @"
    demo (toy, here, profile large)                             0 to create, 1 to change, 1 to remove, 1 to wait for, 2 unchanged, 1 to replace, 2 blocked
        … toy/cluster:main  i-main  (is UPDATING)
      -/+ toy/pool:core     replacing  zones 3  (zones cannot change in place)
        ~ toy/pool:worker
            max: 8 -> 20
            labels.b: 2 -> (none)
            labels.c: (none) -> 3
            image: (none) -> new
        - toy/pool:old      i-old  (is not in the specification)
        ! toy/pool:sick     (as wanted, but degraded: no capacity)
        ! toy/role:node     (r-1 is not ours: tag owner=somebody)
            hint: choose another name with --name, or remove what is in the way if it is yours
        ! toy/role:user     (waits for toy/role:node, which is blocked)
      about 60 s
    ");
}

#[test]
fn verbose_also_shows_what_stays_and_what_could_not_be_seen() {
    let text = text(&samples::changes(), Style { verbose: true, ..PLAIN });
    assert!(text.contains("toy/network:main"), "{text}");
    assert!(text.contains("not reported by the cloud: disk"), "{text}");
}

#[test]
fn replacing_is_red_and_called_replacing() {
    let text = text(&samples::changes(), Style { colour: true, ..PLAIN });
    let line = text.lines().find(|line| line.contains("toy/pool:core")).unwrap();
    assert!(line.contains("\u{1b}[1m\u{1b}[31m-/+") && line.contains("\u{1b}[31mreplacing"), "{line:?}");
}

#[test]
fn an_empty_plan_says_that_nothing_is_to_do() {
    let mut prepared = samples::creation();
    prepared.plan.steps.clear();
    for decision in &mut prepared.plan.report {
        (decision.change, decision.reason) = (Change::None, Reason::AsWanted);
    }
    assert!(text(&prepared, PLAIN).contains("nothing to do: 4 resources are as wanted"));
    prepared.plan = samples::plan(Direction::Down, Vec::new(), Vec::new());
    assert!(text(&prepared, PLAIN).contains("nothing to do: nothing of this cluster is there"));
}

#[test]
fn programs_get_the_counts_and_the_whole_plan() {
    let prepared = samples::changes();
    let json = PlanReport { spec: &samples::spec(), prepared: &prepared }.json();
    assert_eq!((&json["change"], &json["replace"], &json["blocked"]), (&json!(1), &json!(1), &json!(2)));
    assert_eq!(serde_json::from_value::<Plan>(json["plan"].clone()).unwrap(), prepared.plan);
}

#[test]
fn without_unicode_everything_is_ascii() {
    let style = Style { unicode: false, ..PLAIN };
    assert!(text(&samples::creation(), style).is_ascii());
    assert!(text(&samples::changes(), style).is_ascii());
}
