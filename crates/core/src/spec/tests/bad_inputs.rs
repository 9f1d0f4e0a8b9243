//! Inputs that are refused: each with its path, its kind, a hint, and never a panic.

use proptest::prelude::*;

use super::{MINIMAL, resolve_file, resolve_layers};
use crate::spec::SpecErrorKind::{Conflict, InvalidValue, Missing, NotAllowedHere, Syntax, UnknownKey, WrongType};
use crate::spec::{Layers, SpecErrorKind, SpecErrors};

fn refused(text: &str) -> SpecErrors {
    match resolve_file(text) {
        Ok(resolved) => panic!("accepted: {text:?} as {:?}", resolved.spec),
        Err(errors) => errors,
    }
}

fn found(errors: &SpecErrors) -> Vec<(String, SpecErrorKind)> {
    errors.errors.iter().map(|error| (error.path.to_string(), error.kind)).collect()
}

/// What is added to the minimum, where the mistake is reported, its kind, and words of its message or hint.
const CASES: &[(&str, &str, SpecErrorKind, &str)] = &[
    ("zones = ", "", Syntax, "this is not TOML"),
    ("[platform]\nchart = \"x\"", "platform.chart", UnknownKey, "did you mean `charts`?"),
    ("[platform]\ncharts = \"http://a.example\"", "platform.charts", InvalidValue, "https://HOST/PATH"),
    ("[platform]\ncharts = \"oci://me:secret@a.example\"", "platform.charts", InvalidValue, "helm registry login"),
    ("[platform]\ndomain = \"x: y\"", "platform.domain", InvalidValue, "lower-case letters"),
    ("[platform]\nstorage_class = \"Fast\"", "platform.storage_class", InvalidValue, "lower-case letters"),
    ("[platform.versions]\nnats = \"latest\"", "platform.versions.nats", InvalidValue, "\"1.2.3\""),
    ("[platform.versions]\nmino = \"1\"", "platform.versions.mino", UnknownKey, "did you mean `minio`?"),
    ("[platform.values]\nredis = \"\"", "platform.values.redis", InvalidValue, "the path of a file"),
    ("[platform.object_store]\nbucket = \"a-b\"", "platform.object_store.endpoint", Missing, "set it in the file"),
    (
        "[platform.object_store]\nendpoint = \"s3.amazonaws.com\"\nbucket = \"a-b\"",
        "platform.object_store.endpoint",
        InvalidValue,
        "a URL with nothing but the host",
    ),
    (
        "[platform.object_store]\nendpoint = \"https://a\"\nbucket = \"My_Bucket\"",
        "platform.object_store.bucket",
        InvalidValue,
        "3 to 63 lower-case letters",
    ),
    ("[platform.values]\nredis = 3", "platform.values.redis", WrongType, "\"3\""),
    ("worker_image = \"my image\"", "worker_image", InvalidValue, "example"),
    ("worker_image = \"-x\"", "worker_image", InvalidValue, "example"),
    ("image_pull_secret = \"My_Secret\"", "image_pull_secret", InvalidValue, "lower-case"),
    ("[platform]\nimage_pull_file = \"\"", "platform.image_pull_file", InvalidValue, "the path of a file"),
    ("[cost]\nbusy_hours = 731", "cost.busy_hours", InvalidValue, "from 0 to 730"),
    ("[cost.prices]\n\"m6a.large\" = \"cheap\"", "cost.prices.\"m6a.large\"", InvalidValue, "\"0.3456\""),
    ("[cost.prices]\n\"m6a.large\" = 0.2", "cost.prices.\"m6a.large\"", WrongType, "\"0.2\""),
    ("[client]\nparallel = 0", "client.parallel", InvalidValue, "from 1 to 1000"),
    ("[client]\nparalel = 8", "client.paralel", UnknownKey, "did you mean `parallel`?"),
    ("[client]\nmachine = { cpu = 8 }", "client.parallel", Missing, "HOWSO_INFRA_CLIENT__PARALLEL"),
    ("[client]\nparallel = 8\nmachine = { disk = \"1Gi\" }", "client.machine.disk", InvalidValue, "20Gi"),
    ("zones = 2\nzones = 3", "", Syntax, "duplicate key"),
    ("[core", "", Syntax, "this is not TOML"),
    ("[core.labels]\n\"howso.com/x\" = False", "", Syntax, "lower case"),
    ("journal = s3", "", Syntax, "double quotes"),
    ("zone = 2", "zone", UnknownKey, "did you mean `zones`?"),
    ("nat = \"single\"", "nat", UnknownKey, "did you mean `network.nat`?"),
    ("[worker.default]\nmax = 3", "worker", UnknownKey, "did you mean `workers`?"),
    ("[core]\nnode = 3", "core.node", UnknownKey, "did you mean `nodes`?"),
    ("[core]\nmachine = { ram = \"1Gi\" }", "core.machine.ram", UnknownKey, "architecture, cpu, disk"),
    ("[workers.default]\nmaximum = 3", "workers.default.maximum", UnknownKey, "labels, local, machine"),
    ("[engine]\ntimeout = \"3s\"", "engine.timeout", UnknownKey, "request_timeout"),
    ("[eks]\nvcp = {}", "eks.vcp", UnknownKey, "did you mean `vpc`?"),
    ("[aks]\nx = 1", "aks", UnknownKey, "did you mean `eks`?"),
    ("zones = \"2\"", "zones", WrongType, "without quotes: 2"),
    ("zones = 2.5", "zones", WrongType, "expected a whole number"),
    ("zones = 0", "zones", InvalidValue, "from 1 to 3"),
    ("zones = 4", "zones", InvalidValue, "from 1 to 3"),
    ("zones = 99999999999999999999", "zones", InvalidValue, "too large"),
    ("deletion_protection = \"true\"", "deletion_protection", WrongType, "without quotes: true"),
    ("addons = 1", "addons", WrongType, "true or false"),
    ("profile = 3", "profile", WrongType, "\"small\""),
    ("journal = \"gs://bucket/x\"", "journal", InvalidValue, "s3://bucket/prefix"),
    ("journal = \"s3://B\"", "journal", InvalidValue, "bucket"),
    ("allow_open_endpoint = true", "allow_open_endpoint", NotAllowedHere, "--allow-open-endpoint"),
    ("allow_open_endpoint = false", "allow_open_endpoint", NotAllowedHere, "--allow-open-endpoint"),
    ("kubernetes = \"1.34\"", "kubernetes", WrongType, "api_access, control_plane_logs, version"),
    ("[kubernetes]\nversion = 1.30", "kubernetes.version", WrongType, "\"1.30\""),
    ("[kubernetes]\nversion = \"1.34.2\"", "kubernetes.version", InvalidValue, "\"1.34\""),
    ("[kubernetes]\nversion = \"latest\"", "kubernetes.version", InvalidValue, "\"1.34\""),
    ("[kubernetes]\nversion = 2024-01-01", "kubernetes.version", WrongType, "the date"),
    ("[kubernetes]\napi_access = \"public\"", "kubernetes.api_access", InvalidValue, "\"private\""),
    ("[kubernetes]\napi_access = []", "kubernetes.api_access", InvalidValue, "\"private\""),
    (
        "[kubernetes]\napi_access = true",
        "kubernetes.api_access",
        WrongType,
        "accepted: \"auto\", \"private\", or a list",
    ),
    ("[kubernetes]\napi_access = [\"10.0.0.1/8\"]", "kubernetes.api_access[0]", InvalidValue, "10.0.0.0/8"),
    ("[kubernetes]\napi_access = [\"10.0.0.1\"]", "kubernetes.api_access[0]", InvalidValue, "10.0.0.1/32"),
    ("[kubernetes]\napi_access = [\"home\"]", "kubernetes.api_access[0]", InvalidValue, "203.0.113.0/24"),
    (
        "[kubernetes]\napi_access = [\"10.0.0.0/8\", \"10.0.0.0/8\"]",
        "kubernetes.api_access[1]",
        Conflict,
        "named twice",
    ),
    ("[kubernetes]\napi_access = [\"10.0.0.0/8\", \"10.2.0.0/16\"]", "kubernetes.api_access[1]", Conflict, "overlaps"),
    ("[kubernetes]\napi_access = [\"0.0.0.0/0\"]", "kubernetes.api_access", Conflict, "whole internet"),
    ("[kubernetes]\napi_access = [\"::/0\"]", "kubernetes.api_access", Conflict, "--allow-open-endpoint"),
    (
        "[kubernetes]\napi_access = [\"0.0.0.0/1\", \"128.0.0.0/1\"]",
        "kubernetes.api_access",
        Conflict,
        "whole internet",
    ),
    ("[kubernetes]\ncontrol_plane_logs = \"everything\"", "kubernetes.control_plane_logs", InvalidValue, "\"all\""),
    ("[kubernetes]\ncontrol_plane_logs = [\"audits\"]", "kubernetes.control_plane_logs[0]", InvalidValue, "\"audit\""),
    ("[network]\nnat = \"per_zone\"", "network.nat", InvalidValue, "did you mean \"per-zone\"?"),
    ("[network]\nnat = true", "network.nat", WrongType, "accepted: \"per-zone\""),
    ("[core]\nnodes = 0", "core.nodes", InvalidValue, "from 1 to 100"),
    ("[core]\nnodes = -1", "core.nodes", InvalidValue, "from 1 to 100"),
    ("[core]\nnodes = 101", "core.nodes", InvalidValue, "from 1 to 100"),
    ("[core]\nnodes = 3\nmax = 2", "core.max", Conflict, "2 is less than core.nodes (3)"),
    ("[core]\nmachine = \"m6i.2xlarge\"", "core.machine", WrongType, "types"),
    ("[core]\nmachine = { cpu = 0 }", "core.machine.cpu", InvalidValue, "from 1 to 1024"),
    ("[core]\nmachine = { cpu = 1.5 }", "core.machine.cpu", WrongType, "whole number"),
    ("[core]\nmachine = { memory = \"32GB\" }", "core.machine.memory", InvalidValue, "\"32Gi\""),
    ("[core]\nmachine = { memory = \"32\" }", "core.machine.memory", InvalidValue, "no unit"),
    ("[core]\nmachine = { memory = 32 }", "core.machine.memory", WrongType, "for example \"32Gi\""),
    ("[core]\nmachine = { memory = \"1Mi\" }", "core.machine.memory", InvalidValue, "512Mi to 32Ti"),
    ("[core]\nmachine = { disk = \"10Gi\" }", "core.machine.disk", InvalidValue, "20Gi to 16384Gi"),
    ("[core]\nmachine = { disk = 100 }", "core.machine.disk", WrongType, "for example \"100Gi\""),
    ("[core]\nmachine = { architecture = \"x86\" }", "core.machine.architecture", InvalidValue, "arm64"),
    ("[core]\nmachine = { types = \"m6i.large\" }", "core.machine.types", WrongType, "[\"m6i.large\"]"),
    ("[core]\nmachine = { types = [\"a\", \"a\"] }", "core.machine.types[1]", Conflict, "named twice"),
    ("[core]\nmachine = { types = [\"a b\"] }", "core.machine.types[0]", InvalidValue, "instance type"),
    (
        "[core.labels]\n\"howso.com/allowWorkers\" = \"True\"",
        "core.labels.\"howso.com/allowWorkers\"",
        Conflict,
        "leave it out",
    ),
    ("[core.labels]\n\"a b\" = \"x\"", "core.labels.\"a b\"", InvalidValue, "example.com/team"),
    ("[core.labels]\nteam = \"\"", "core.labels.team", InvalidValue, "may not be empty"),
    ("[core.labels]\nteam = true", "core.labels.team", WrongType, "\"true\""),
    (
        "[core.labels]\n\"node-role.kubernetes.io/x\" = \"y\"",
        "core.labels.\"node-role.kubernetes.io/x\"",
        InvalidValue,
        "Kubernetes",
    ),
    ("[workers]\ndefault = 3", "workers.default", WrongType, "a table with the keys"),
    ("[workers.core]\nmax = 1", "workers.core", InvalidValue, "core pool"),
    ("[workers.Big]\nmax = 1", "workers.Big", InvalidValue, "lower-case letter"),
    ("[workers.averylongname1]\nmax = 1", "workers.averylongname1", InvalidValue, "up to 11"),
    ("[workers.worker]\nmax = 1", "workers.worker", Conflict, "another name"),
    ("[workers.big]\nmin = 1", "workers.big.max", Missing, "HOWSO_INFRA_WORKERS__BIG__MAX"),
    ("[workers.default]\nmin = 3", "workers.default.min", Conflict, "3 is more than workers.default.max (2)"),
    ("[workers.default]\nmin = 3\nmax = 2", "workers.default.max", Conflict, "2 is less than workers.default.min (3)"),
    ("[workers.default]\nmax = 0", "workers.default.max", InvalidValue, "from 1 to 1000"),
    ("[workers.default]\nmax = 1001", "workers.default.max", InvalidValue, "from 1 to 1000"),
    ("[workers.default]\nspot = \"yes\"", "workers.default.spot", WrongType, "true or false"),
    (
        "[workers.default]\ntaints = [\"a=b:NoSchedul\"]",
        "workers.default.taints[0]",
        InvalidValue,
        "did you mean `NoSchedule`?",
    ),
    ("[workers.default]\ntaints = [\"a=b\"]", "workers.default.taints[0]", InvalidValue, "no effect"),
    (
        "[workers.default]\ntaints = [\"howso.com/nodetype=worker:NoSchedule\"]",
        "workers.default.taints[0]",
        Conflict,
        "already",
    ),
    (
        "[workers.default]\ntaints = [\"a=b:NoExecute\", \"a=c:NoExecute\"]",
        "workers.default.taints[1]",
        Conflict,
        "named twice",
    ),
    ("[workers.default]\ntaints = { a = \"b\" }", "workers.default.taints", WrongType, "a list"),
    ("[core]\nservices = \"none\"", "core.services", InvalidValue, "\"tuned\""),
    ("[trainees]\nsmall = 3", "trainees.small", WrongType, "count, cpu, memory"),
    ("[trainees.small]", "trainees.small.count", Missing, "--set trainees.small.count"),
    ("[trainees.small]\ncount = 0", "trainees.small.count", InvalidValue, "from 1 to 100000"),
    ("[trainees.small]\ncount = -3", "trainees.small.count", InvalidValue, "from 1 to 100000"),
    ("[trainees.small]\ncount = \"3\"", "trainees.small.count", WrongType, "without quotes: 3"),
    ("[trainees.small]\ncount = 3\ncpu = 4", "trainees.small.cpu", Conflict, "requests 2000m CPU and 1024Mi"),
    ("[trainees.small]\ncount = 3\nmemory = \"4Gi\"", "trainees.small.memory", Conflict, "another name"),
    ("[trainees.x-larg]\ncount = 3", "trainees.x-larg", InvalidValue, "did you mean `x-large`?"),
    ("[trainees.large]\ncount = 3", "trainees.large", InvalidValue, "medium, x-large"),
    ("[trainees.huge]\ncount = 3", "trainees.huge", InvalidValue, "one of xxx-small, xx-small"),
    ("[trainees.mine]\ncount = 3\ncpu = 4", "trainees.mine.memory", Missing, "--set trainees.mine.memory"),
    ("[trainees.mine]\ncount = 3\nmemory = \"4Gi\"", "trainees.mine.cpu", Missing, "--set trainees.mine.cpu"),
    ("[trainees.mine]\ncount = 3\ncpu = 4\nmemory = \"4GB\"", "trainees.mine.memory", InvalidValue, "\"4Gi\""),
    ("[trainees.mine]\ncount = 3\ncpu = 0.5\nmemory = \"4Gi\"", "trainees.mine.cpu", WrongType, "whole number"),
    ("[tags]\n\"aws:x\" = \"y\"", "tags.\"aws:x\"", InvalidValue, "reserved"),
    ("[tags]\n\"howso-infra/deployment\" = \"y\"", "tags.\"howso-infra/deployment\"", InvalidValue, "reserved"),
    ("[tags]\n\"kubernetes.io/cluster/x\" = \"y\"", "tags.\"kubernetes.io/cluster/x\"", InvalidValue, "reserved"),
    ("[tags]\nteam = 3", "tags.team", WrongType, "\"3\""),
    ("[engine]\nrequest_timeout = \"30\"", "engine.request_timeout", InvalidValue, "\"30s\""),
    ("[engine]\nrequest_timeout = 30", "engine.request_timeout", WrongType, "for example \"30s\""),
    ("[engine]\nrequest_timeout = \"1h\"", "engine.request_timeout", InvalidValue, "too long"),
    ("[engine]\npoll_interval_min = \"0s\"", "engine.poll_interval_min", InvalidValue, "too short"),
    (
        "[engine]\npoll_interval_min = \"20s\"",
        "engine.poll_interval_min",
        Conflict,
        "engine.poll_interval_max is built in",
    ),
    ("[engine]\nretry_delay_max = \"10ms\"", "engine.retry_delay_max", Conflict, "retry_delay_base"),
    ("[engine]\nparallelism = 65", "engine.parallelism", InvalidValue, "from 1 to 64"),
    ("[engine]\nretry_attempts = 0", "engine.retry_attempts", InvalidValue, "from 1 to 100"),
    ("[autoscaler]\nenabled = \"on\"", "autoscaler.enabled", WrongType, "true or false"),
    ("autoscaler = true", "autoscaler", WrongType, "enabled"),
    ("[eks]\nvpc = \"vpc-1\"", "eks.vpc", WrongType, "cidr"),
    ("eks = 1", "eks", WrongType, "a table"),
];

#[test]
fn each_mistake_is_reported_alone_at_its_place_with_its_kind_and_a_cure() {
    for (text, path, kind, words) in CASES {
        let errors = refused(&format!("{MINIMAL}{text}\n"));
        assert_eq!(found(&errors), [((*path).to_owned(), *kind)], "{text:?}\n{errors}");
        let printed = errors.to_string();
        assert!(printed.contains(words), "{text:?} is not told {words:?}: {printed}");
        assert_eq!(printed.lines().count(), 1, "{printed}");
    }
}

#[test]
fn each_mistake_in_the_file_has_a_line_below_the_minimum() {
    for (text, _, _, _) in CASES {
        let errors = refused(&format!("{MINIMAL}{text}\n"));
        let span = errors.errors[0].origin.as_ref().and_then(|origin| origin.span);
        assert!(span.is_some_and(|span| span.line > 3), "{text:?}: {errors}");
    }
}

#[test]
fn what_is_required_is_asked_for_all_at_once() {
    let errors = refused("");
    let missing = ["name", "provider", "region"].map(|path| (path.to_owned(), Missing));
    assert_eq!(found(&errors), missing);
    assert!(errors.to_string().contains("--name, or as HOWSO_INFRA_NAME"), "{errors}");
}

#[test]
fn bad_names_are_refused_at_their_keys() {
    let errors = refused("name = \"Howso\"\nprovider = \"EKS\"\nregion = \"us east\"\n");
    assert_eq!(found(&errors), ["name", "provider", "region"].map(|path| (path.to_owned(), InvalidValue)));
    let long = format!("name = \"{}\"\nprovider = \"eks\"\nregion = \"r\"\n", "a".repeat(33));
    assert!(refused(&long).to_string().contains("33 characters"));
}

#[test]
fn mistakes_of_every_kind_and_layer_are_reported_in_one_run() {
    let text = "name = \"a-\"\nprovider = \"eks\"\nallow_open_endpoint = true\nzonez = 1\n[core]\nnodes = \"3\"\nmax = 200\n\
                [workers.default]\nmin = 9\nmax = 4\ntaints = [\"a\"]\n[kubernetes]\nversion = \"x\"\n[eks]\nvcp = 1\n";
    let layers = Layers::new().file("howso-infra.toml".into(), text).unwrap();
    let variables = [
        ("HOWSO_INFRA_CORE__MACHINE__MEMORY".to_owned(), "1G".to_owned()),
        ("HOWSO_INFRA_NAM".to_owned(), "x".to_owned()),
    ];
    let layers = layers.environment(variables, &[]).unwrap().set("--set", "engine.parallelism=many").unwrap();
    let errors = resolve_layers(layers).unwrap_err();
    let expected = [
        ("name", InvalidValue),
        ("allow_open_endpoint", NotAllowedHere),
        ("zonez", UnknownKey),
        ("core.nodes", WrongType),
        ("core.max", InvalidValue),
        ("workers.default.max", Conflict),
        ("workers.default.taints[0]", InvalidValue),
        ("kubernetes.version", InvalidValue),
        ("eks.vcp", UnknownKey),
        ("nam", UnknownKey),
        ("core.machine.memory", InvalidValue),
        ("engine.parallelism", WrongType),
        ("region", Missing),
    ];
    assert_eq!(found(&errors), expected.map(|(path, kind)| (path.to_owned(), kind)), "{errors}");
    let printed = errors.to_string();
    assert!(printed.contains("HOWSO_INFRA_NAM: nam: unknown key `nam` (did you mean `name`?)"), "{printed}");
    assert!(printed.contains("--set engine.parallelism: engine.parallelism: expected a whole number"), "{printed}");
    assert!(printed.contains("howso-infra.toml:6:9: core.nodes: "), "{printed}");
}

#[test]
fn mistakes_of_a_profile_name_its_file() {
    let layers = Layers::new().file("howso-infra.toml".into(), MINIMAL).unwrap();
    let text = "profile = \"large\"\nallow_open_endpoint = true\n[core]\nnodez = 3\n";
    let layers = layers.profile("mine", Some("mine.toml".into()), text).unwrap();
    let errors = crate::spec::resolve(&layers, &super::providers()).unwrap_err();
    let expected = [
        ("profile", NotAllowedHere),
        ("allow_open_endpoint", NotAllowedHere),
        ("core.nodez", UnknownKey),
        ("workers", Missing),
    ];
    assert_eq!(found(&errors), expected.map(|(path, kind)| (path.to_owned(), kind)));
    assert!(errors.to_string().starts_with("mine.toml:1:1: profile: "), "{errors}");
}

#[test]
fn two_mistakes_in_a_list_are_both_reported() {
    let errors = refused(&format!("{MINIMAL}[kubernetes]\napi_access = [\"a\", \"10.0.0.0/8\", \"10.1.0.0/16\"]\n"));
    let expected = [("kubernetes.api_access[0]", InvalidValue), ("kubernetes.api_access[2]", Conflict)];
    assert_eq!(found(&errors), expected.map(|(path, kind)| (path.to_owned(), kind)));
}

proptest! {
    #[test]
    fn no_file_makes_the_program_panic(text in "\\PC{0,200}") {
        // Either outcome is fine; a mistake always has a message.
        if let Err(errors) = resolve_file(&text) {
            prop_assert!(!errors.errors.is_empty());
        }
    }

    #[test]
    fn no_mutilated_file_makes_the_program_panic(position in 0_usize..400, garbage in "[\\[\\]{}=\",.#'a0\\n ä]{0,4}") {
        let mut text = format!("{MINIMAL}[workers.default]\nmin = 0\nmachine = {{ cpu = 8, types = [\"a\"] }}\ntaints = [\"a=b:NoSchedule\"]\n[tags]\nteam = \"x\"\n");
        let position = position.min(text.len());
        text.insert_str(position, &garbage);
        if let Err(errors) = resolve_file(&text) {
            prop_assert!(errors.errors.iter().all(|error| !error.message.is_empty()));
        }
    }

    #[test]
    fn no_variable_makes_the_program_panic(name in "[A-Z_]{0,20}", value in "\\PC{0,40}") {
        let layers = Layers::new().file("f".into(), MINIMAL).unwrap();
        let layers = layers.environment([(format!("HOWSO_INFRA_{name}"), value)], &["HOWSO_INFRA_PROFILE"]);
        if let Err(errors) = layers.and_then(resolve_layers) {
            prop_assert!(!errors.errors.is_empty());
        }
    }
}
