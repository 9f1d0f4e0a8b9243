//! Help, completions, manual pages and the schema.

use std::process::Stdio;

use super::sandbox::Sandbox;

const VERBS: [&str; 13] = [
    "init",
    "plan",
    "up",
    "status",
    "drift",
    "down",
    "kubeconfig",
    "doctor",
    "profile",
    "adopt",
    "completions",
    "man",
    "schema",
];

#[test]
fn help_of_the_program() {
    insta::assert_snapshot!(Sandbox::new().run(&["--help"]).snapshot());
}

#[test]
fn help_of_every_verb() {
    for verb in VERBS {
        insta::assert_snapshot!(format!("help_of_{verb}"), Sandbox::new().run(&[verb, "--help"]).snapshot());
    }
    insta::assert_snapshot!("help_of_profile_show", Sandbox::new().run(&["profile", "show", "--help"]).snapshot());
}

#[test]
fn the_version_is_one_line_of_data() {
    let ran = Sandbox::new().run(&["--version"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert_eq!(ran.stdout, concat!("howso-infra ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn every_shell_completes_every_verb() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = Sandbox::new().run(&["completions", shell]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{shell}");
        for verb in VERBS {
            assert!(ran.stdout.contains(verb), "{shell} does not know {verb}");
        }
        assert!(ran.stdout.contains("--allow-replace") || ran.stdout.contains("-l allow-replace"), "{shell}");
    }
}

#[test]
fn a_manual_page_is_a_manual_page() {
    let ran = Sandbox::new().run(&["man"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert!(ran.stdout.contains(".TH howso-infra 1"), "{}", ran.stdout);
    assert!(ran.stdout.contains("Exit codes"), "{}", ran.stdout);
}

#[test]
fn every_verb_has_a_manual_page_of_its_own() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["man", "pages"]).code, Some(0));
    for verb in VERBS {
        let page = sandbox.read(&format!("here/pages/howso-infra-{verb}.1"));
        assert!(page.contains(&format!(".TH howso-infra-{verb} 1")), "{page}");
    }
    assert!(sandbox.read("here/pages/howso-infra-profile-show.1").contains("explain"));
    assert!(!sandbox.path("here/pages/howso-infra-help.1").exists());
}

#[test]
fn the_schema_is_json_and_knows_every_key_of_the_everyday_file() {
    let ran = Sandbox::new().run(&["schema"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let schema: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    for key in ["name", "provider", "region", "profile", "kubernetes", "core", "workers", "tags", "engine"] {
        assert!(schema["properties"][key].is_object(), "{key}");
    }
    assert_eq!(schema["properties"]["eks"].is_object(), cfg!(feature = "eks"));
}

/// As in `howso-infra schema | head -1`.
#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_is_no_failure() {
    for arguments in [&["schema"][..], &["--help"], &["completions", "bash"], &["plan", "--output", "json"]] {
        let mut child =
            Sandbox::new().command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code().is_some(), "{arguments:?} was killed");
        assert!(!stderr.contains("panicked"), "{arguments:?}: {stderr}");
    }
}

/// `/dev/full` refuses every write.
#[cfg(target_os = "linux")]
#[test]
fn standard_output_that_cannot_be_written_is_a_failure() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = Sandbox::new().command(&["schema"]).stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.starts_with("error: cannot write to standard output\n  cause: "), "{stderr}");
}
