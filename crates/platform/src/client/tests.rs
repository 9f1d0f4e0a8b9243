//! A user's file keeps everything but the time.

use howso_infra_core::sizing::platform::{AKS, EKS, GKE, K3D, OPENSHIFT};
use proptest::prelude::*;

use super::*;

fn changed(text: &str) -> String {
    match merge(text, 400) {
        Ok(Merged::Changed(text)) => text,
        other => panic!("{text}\n{other:?}"),
    }
}

#[test]
fn comments_order_and_unknown_keys_stay() {
    let text = "# mine\nsecurity:\n    ssl_ca_cert: /x.crt  # of the platform\nhowso:\n  client_id: 'a'\n  options:\n    # was 1200 once\n    \
                create_max_wait_time: 30  # too short\n    other: [1, 2]\n\n# the end\n";
    let expected = text.replace("time: 30 ", "time: 400 ");
    assert_eq!(changed(text), expected);
}

#[test]
fn what_is_missing_is_added_where_it_belongs() {
    for (text, expected) in [
        ("", "howso:\n  options:\n    create_max_wait_time: 400\n"),
        ("# only this\n", "# only this\nhowso:\n  options:\n    create_max_wait_time: 400\n"),
        ("a: 1\n", "a: 1\nhowso:\n  options:\n    create_max_wait_time: 400\n"),
        ("howso:\n  client_id: x\n", "howso:\n  client_id: x\n  options:\n    create_max_wait_time: 400\n"),
        ("howso: { options: { x: 1 } }\n", "howso: { options: { x: 1, create_max_wait_time: 400 } }\n"),
    ] {
        assert_eq!(changed(text), expected);
    }
}

#[test]
fn a_longer_time_and_forever_stay() {
    for secs in [0, 400, 1200] {
        let text = format!("howso:\n  options:\n    create_max_wait_time: {secs}\n");
        assert_eq!(merge(&text, 400), Ok(Merged::Kept { secs }));
    }
}

#[test]
fn what_is_no_configuration_is_left_alone() {
    for (text, why) in [
        ("howso: [\n", "it is not YAML"),
        ("- a\n", "`the document` is no table there"),
        ("howso: 3\n", "`howso` is no table there"),
        ("howso:\n  options: no\n", "`howso.options` is no table there"),
        ("howso:\n  options:\n    create_max_wait_time: soon\n", "is \"soon\", and not a number of seconds"),
        ("howso:\n  options:\n    create_max_wait_time: -1\n", "is -1, and not a number of seconds"),
        ("howso:\n  options:\n    create_max_wait_time: 1.5\n", "is 1.5, and not a number of seconds"),
    ] {
        let error = merge(text, 400).expect_err(text);
        assert!(error.to_string().contains(why), "{text}: {error}");
    }
}

#[test]
fn each_platform_has_its_time_with_its_reason() {
    let waits = [&EKS, &GKE, &AKS, &OPENSHIFT, &K3D].map(|platform| Wait::of(platform.node_wait, None));
    assert_eq!(waits.map(|wait| wait.secs), [400, 500, 700, 900, 100]);
    let text = fresh(waits[0]);
    assert_eq!(merge(&text, 400), Ok(Merged::Kept { secs: 400 }));
    assert!(
        text.contains("# a trainee that needs a new node waits 121 s, and one of a hundred more than 197 s"),
        "{text}"
    );
}

/// A cluster on which nodes take longer than anywhere has the last word; one on which they take less proves nothing about the next.
#[test]
fn what_was_measured_makes_it_longer_and_never_shorter() {
    let told = |measured_secs| {
        let wait = Wait::of(EKS.node_wait, measured_secs);
        (wait.secs, is_too_short(250, wait), wait.reason().contains("on this cluster"))
    };
    assert_eq!(told(None), (400, false, false));
    assert_eq!(told(Some(60)), (400, false, true));
    assert_eq!(told(Some(197)), (400, false, true));
    assert_eq!(told(Some(251)), (600, true, true));
}

/// Settings of any form, with comments in any place.
fn document() -> impl Strategy<Value = String> {
    let value = prop_oneof!["[a-z]{1,8}", "[0-9]{1,4}", Just("'it''s'".to_owned()), Just("[1, {a: b}]".to_owned())];
    let comment = prop_oneof![Just(""), Just("  # why"), Just(" # a: b")];
    let line =
        |indentation: &'static str| move |(key, value, comment)| format!("{indentation}{key}: {value}{comment}\n");
    let top = ("[a-g]{1,6}", value, comment.clone()).prop_map(line(""));
    // Keys are distinct by what they begin with.
    let own = ("a[a-g]{0,5}", "[a-z]{1,8}", comment.clone()).prop_map(line("  "));
    let option = ("b[a-g]{0,5}", "[0-9]{1,4}", comment).prop_map(line("    "));
    (top, own, option, 0..4_usize).prop_map(|(top, own, option, depth)| match depth {
        0 => top,
        1 => format!("{top}howso:\n  client_id: x\n{own}"),
        2 => format!("{top}# before\nhowso:\n  client_id: x\n{own}  options:\n{option}"),
        _ => format!(
            "{top}# before\nhowso:\n  options:\n{option}    create_max_wait_time: 30 # short\n{own}\n# the end\n"
        ),
    })
}

proptest! {
    #[test]
    fn every_line_that_was_there_is_there_still(text in document()) {
        let now = changed(&text);
        for line in text.lines().filter(|line| !line.contains("create_max_wait_time")) {
            prop_assert!(now.lines().any(|own| own == line), "{line:?} is gone:\n{text}=>\n{now}");
        }
        prop_assert_eq!(merge(&now, 400), Ok(Merged::Kept { secs: 400 }));
    }
}

/// What a client waits by itself is too short in every cloud.
#[test]
fn a_client_that_was_told_nothing_gives_up_too_soon_in_every_cloud() {
    use howso_infra_core::sizing::Platform;
    for provider in ["eks", "gke", "aks", "openshift"] {
        let wait = Wait::of(Platform::named(provider).unwrap().node_wait, None);
        let told = |text: &str| is_too_short(configured(text).unwrap(), wait);
        assert!(
            told("howso: {debug: true}") && told("") && told("howso: {options: {create_max_wait_time: 30}}"),
            "{provider}"
        );
        assert!(!told("howso: {options: {create_max_wait_time: 0}}"), "{provider}: forever");
        assert!(!told(&fresh(wait)), "{provider}");
    }
    assert!(configured("howso: {options: {create_max_wait_time: soon}}").is_err());
}
