//! Verbs that need no cloud, and the forms of output.

use super::sandbox::Sandbox;

const FILE: &str = "name = \"demo\"\nprovider = \"toy\"\nregion = \"here\"\nprofile = \"large\"\n";

#[test]
fn profiles_are_listed_with_where_they_are() {
    let sandbox = Sandbox::new();
    sandbox.write("home/.config/howso-infra/profiles/ours.toml", "zones = 3\n");
    sandbox.write("home/.config/howso-infra/profiles/small.toml", "zones = 2\n");
    insta::assert_snapshot!(sandbox.run(&["profile", "list"]).snapshot());
}

#[test]
fn a_profile_is_printed_as_it_is() {
    let ran = Sandbox::new().run(&["profile", "show", "large"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_eq!(ran.stdout, include_str!("../../../../profiles/large.toml"));
}

#[test]
fn every_value_is_explained() {
    let sandbox = Sandbox::with_file(FILE).set("HOWSO_INFRA_CORE__NODES", "4");
    insta::assert_snapshot!(sandbox.run(&["profile", "show", "--explain", "--worker-max", "9"]).snapshot());
}

#[test]
fn a_profile_is_explained_without_a_cluster() {
    let ran = Sandbox::new().run(&["profile", "show", "medium", "--explain"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert!(ran.stdout.contains("# name ="), "{}", ran.stdout);
    assert!(ran.stdout.contains("# profile medium:"), "{}", ran.stdout);
}

#[test]
fn a_file_is_begun_and_can_be_read_again() {
    let sandbox = Sandbox::new();
    // The platform is checked against those that were compiled in, so that the test needs one.
    let provider = if cfg!(feature = "eks") { "eks" } else { "toy" };
    let arguments = ["init", "--name", "demo", "--provider", provider, "--region", "us-east-1", "--profile", "large"];
    let ran = sandbox.run(&arguments);
    if !cfg!(feature = "eks") {
        assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
        return;
    }
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    let text = sandbox.read("here/howso-infra.toml");
    assert!(text.contains("\nname     = \"demo\"\n") && text.contains("\nprofile  = \"large\"\n"), "{text}");
    assert_eq!(sandbox.run(&arguments).code, Some(2), "an existing file is left alone");
    let mut forced = arguments.to_vec();
    forced.push("--force");
    assert_eq!(sandbox.run(&forced).code, Some(0));
    let explained = sandbox.run(&["profile", "show", "--explain"]);
    assert!(explained.stdout.contains("howso-infra.toml:4:"), "{}", explained.snapshot());
}

#[test]
fn a_provider_that_was_not_compiled_in_is_named_with_those_that_were() {
    let ran = Sandbox::with_file(FILE).run(&["plan"]);
    assert_eq!(ran.code, Some(2), "{}", ran.snapshot());
    assert!(ran.stderr.contains("error: provider `toy` is not known"), "{}", ran.stderr);
    assert!(ran.stderr.contains("\nhint: "), "{}", ran.stderr);
}

#[test]
fn programs_get_one_json_object_a_line_and_nothing_else() {
    let ran = Sandbox::with_file("nmae = \"demo\"\n").run(&["plan", "--output", "json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(2), ""));
    let lines: Vec<serde_json::Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(!lines.is_empty());
    for line in &lines {
        assert_eq!(line["schema"], 1);
        assert!(line["type"].is_string() && line["time"].is_string(), "{line}");
    }
    let last = lines.last().unwrap();
    assert_eq!((&last["type"], &last["exit_code"]), (&"error".into(), &2.into()));
}

#[test]
fn colours_come_when_asked_for_and_not_otherwise() {
    let sandbox = Sandbox::with_file("nmae = \"demo\"\n");
    assert!(sandbox.run(&["plan", "--color", "always"]).stderr.contains('\u{1b}'));
    for arguments in [&["plan"][..], &["plan", "--color", "never"], &["plan", "--color", "always", "--output", "plain"]]
    {
        let ran = sandbox.run(arguments);
        assert!(!ran.stderr.contains('\u{1b}'), "{arguments:?}: {}", ran.stderr);
    }
}

#[test]
fn quiet_still_says_what_went_wrong() {
    let ran = Sandbox::with_file("nmae = \"demo\"\n").run(&["plan", "--quiet"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("error: "), "{}", ran.stderr);
}

#[test]
fn pools_are_advised_and_what_is_advised_can_be_pasted() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["size", "--trainee", "x-large=20,small=100", "--client-parallel", "8"]);
    insta::assert_snapshot!(ran.snapshot());
    let fragment = ran.stdout.split_once("\n\n").expect("the fragment comes last").1;
    let sandbox = Sandbox::with_file(&format!("{FILE}{fragment}"));
    let explained = sandbox.run(&["profile", "show", "--explain"]);
    assert_eq!(explained.code, Some(0), "{}", explained.snapshot());
    // The trainees of the file are those that are meant where no flag names any.
    let again = sandbox.run(&["size", "--client-parallel", "8"]);
    assert_eq!(again.stdout, ran.stdout);
}

#[test]
fn clouds_are_compared() {
    let arguments = ["size", "--trainee", "xx-large=4", "--custom", "cpu=24,memory=96Gi", "--compare"];
    insta::assert_snapshot!(Sandbox::new().run(&arguments).snapshot());
}

#[test]
fn sizes_are_told_to_programs() {
    let ran = Sandbox::new().run(&["size", "--trainee", "medium=8", "--output", "json"]);
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).expect("one line of JSON");
    assert_eq!(told["type"], "size");
    assert_eq!(told["advice"]["workers"][0]["sizes"][0]["count"], 8);
    assert_eq!(told["advice"]["client_wait_secs"], 400);
    assert!(told["fragment"].as_str().is_some_and(|text| text.contains("[workers.default]")));
}

#[test]
fn values_are_printed_or_written() {
    let sandbox = Sandbox::with_file(FILE);
    let nats = sandbox.run(&["values", "nats"]);
    assert_eq!(nats.code, Some(0), "{}", nats.snapshot());
    assert!(nats.stdout.starts_with("# platform-nats: "), "{}", nats.stdout);
    insta::assert_snapshot!(sandbox.run(&["values", "--directory", "values"]).snapshot());
    assert_eq!(sandbox.read("here/values/platform-nats.yaml"), nats.stdout);
    let openshift = sandbox.run(&["values", "platform", "--provider", "openshift", "--domain", "howso.example.com"]);
    assert!(openshift.stdout.contains("skip: true") && openshift.stdout.contains("domain: howso.example.com"));
    // A core pool for trying out is asked for less.
    let small = sandbox.run(&["values", "platform", "--core-nodes", "2"]);
    assert!(small.stdout.contains("maxReplicas: 3 "), "{}", small.stdout);
}

#[test]
fn clients_are_told_how_long_to_wait() {
    let sandbox = Sandbox::new();
    insta::assert_snapshot!(sandbox.run(&["client", "--provider", "gke"]).snapshot());
    let mine = "# mine\nhowso:\n  client_id: x # secret\n  options:\n    create_max_wait_time: 30 # short\n";
    sandbox.write("here/howso.yml", mine);
    let merge = ["client", "--provider", "eks", "--merge", "howso.yml"];
    let ran = sandbox.run(&merge);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{}", ran.snapshot());
    assert_eq!(sandbox.read("here/howso.yml"), mine.replace("30 #", "400 #"));
    assert!(sandbox.run(&merge).stderr.contains("which is enough"));
    sandbox.write("here/howso.yml", "howso: {options: {create_max_wait_time: 0}}\n");
    assert!(sandbox.run(&merge).stderr.contains("says to wait forever"));
    // A new file is for its owner alone, because credentials will be in it.
    let ran = sandbox.run(&["client", "--provider", "eks", "--merge", "new/howso.yml"]);
    assert_eq!(ran.code, Some(0), "{}", ran.snapshot());
    assert!(sandbox.read("here/new/howso.yml").contains("create_max_wait_time: 400"));
}
