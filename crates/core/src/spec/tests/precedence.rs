//! Which layer wins, and what is remembered about it.

use super::{MINIMAL, resolve_file, resolve_layers, valid_with};
use crate::spec::{KeyPath, Layer, Layers, Origin, SpecError, SpecErrorKind, SpecErrors};

fn variable(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

fn file(text: &str) -> Layers {
    Layers::new().file("howso-infra.toml".into(), &format!("{MINIMAL}{text}")).unwrap()
}

/// The wanted maximum of the default pool, and what set it.
fn max_and_origin(layers: Layers) -> (u32, Origin) {
    let resolved = resolve_layers(layers).unwrap_or_else(|errors| panic!("{errors}"));
    let max = resolved.spec.workers.values().next().unwrap().max;
    (max, resolved.origins.get("workers.default.max").unwrap().clone())
}

#[test]
fn each_layer_wins_over_those_below_and_is_remembered() {
    let (max, origin) = max_and_origin(file("profile = \"large\""));
    assert_eq!(max, 20);
    assert!(matches!(&origin.layer, Layer::Profile { name, path: None, .. } if name == "large"), "{origin}");

    let layers = file("profile = \"large\"\n[workers.default]\nmax = 5\n");
    let (max, origin) = max_and_origin(layers.clone());
    assert_eq!((max, origin.to_string().as_str()), (5, "howso-infra.toml:6:7"));

    let layers = layers.environment([variable("HOWSO_INFRA_WORKERS__DEFAULT__MAX", "6")], &[]).unwrap();
    let (max, origin) = max_and_origin(layers.clone());
    assert_eq!((max, origin.to_string().as_str()), (6, "HOWSO_INFRA_WORKERS__DEFAULT__MAX"));

    let layers = layers.flag("--worker-max", "workers.default.max", "7").unwrap();
    let (max, origin) = max_and_origin(layers.clone());
    assert_eq!((max, origin.to_string().as_str()), (7, "--worker-max"));

    let layers = layers.set("--set", "workers.default.max=8").unwrap();
    let (max, origin) = max_and_origin(layers);
    assert_eq!((max, origin.to_string().as_str()), (8, "--set workers.default.max"));
}

#[test]
fn what_no_layer_says_is_a_built_in_default() {
    let resolved = valid_with("");
    assert_eq!(resolved.origins.get("engine.retry_attempts"), Some(&Origin { layer: Layer::Default, span: None }));
    assert_eq!(resolved.spec.engine, crate::spec::EngineSettings::default());
    assert_eq!(resolved.spec.workers.values().next().unwrap().machine.disk.get(), 100);
    assert!(resolved.spec.autoscaler.is_on() && resolved.spec.addons.is_on());
    assert_eq!(resolved.spec.kubernetes.version, None);
    assert_eq!(resolved.spec.journal, None);
}

#[test]
fn a_span_points_at_the_value_in_the_text() {
    let text = format!("{MINIMAL}[core]\nnodes = 4 # four\n");
    let resolved = resolve_file(&text).unwrap();
    let origin = resolved.origins.get("core.nodes").unwrap();
    let span = origin.span.unwrap();
    assert_eq!(&origin.source_text().unwrap()[span.start..span.end], "4");
}

#[test]
fn a_pool_of_the_file_stands_beside_the_pool_of_the_profile() {
    let resolved = valid_with("[workers.big]\nmax = 4\nmachine = { types = [\"m6i.8xlarge\"] }\n");
    let names: Vec<_> = resolved.spec.workers.keys().map(|name| name.node_pool_name().to_owned()).collect();
    assert_eq!(names, ["big", "worker"]);
    let big = &resolved.spec.workers[&"big".parse().unwrap()];
    assert_eq!((big.min, big.max, big.machine.types.as_slice()), (0, 4, ["m6i.8xlarge".to_owned()].as_slice()));
    assert_eq!(resolved.origins.get("workers.big.min").unwrap().layer, Layer::Default);
}

#[test]
fn one_key_of_a_machine_is_changed_without_the_others() {
    let resolved = valid_with("[core.machine]\ncpu = 12\n");
    let machine = &resolved.spec.core.machine;
    assert_eq!((machine.cpu.get(), machine.memory.to_string().as_str()), (12, "32Gi"));
}

#[test]
fn environment_values_take_the_type_that_their_key_wants() {
    let variables = [
        variable("HOWSO_INFRA_KUBERNETES__VERSION", "1.30"),
        variable("HOWSO_INFRA_KUBERNETES__API_ACCESS", "[\"203.0.113.0/24\"]"),
        variable("HOWSO_INFRA_ADDONS", "false"),
        variable("HOWSO_INFRA_TAGS__YEAR", "2026"),
        variable("HOWSO_INFRA_CORE__MACHINE", "{ cpu = 4 }"),
        variable("HOWSO_INFRA_EKS__VPC__CIDR", "10.0.0.0/16"),
        variable("HOWSO_INFRA_STATE_DIR", "/var/lib/howso"),
        variable("PATH", "/bin"),
    ];
    let layers = file("").environment(variables, &["HOWSO_INFRA_STATE_DIR"]).unwrap();
    let spec = resolve_layers(layers).unwrap_or_else(|errors| panic!("{errors}")).spec;
    assert_eq!(spec.kubernetes.version.unwrap().to_string(), "1.30");
    assert!(matches!(&spec.api_access, crate::spec::ApiAccess::Cidrs(networks) if networks.len() == 1));
    assert!(!spec.addons.is_on());
    assert_eq!(spec.tags.values().collect::<Vec<_>>(), ["2026"]);
    assert_eq!((spec.core.machine.cpu.get(), spec.core.machine.memory.to_string().as_str()), (4, "32Gi"));
    let options: super::Options = spec.provider_options.decode().unwrap();
    assert_eq!(options.vpc.cidr.as_deref(), Some("10.0.0.0/16"));
}

#[test]
fn a_cluster_needs_no_file() {
    let layers = Layers::new()
        .flag("--name", "name", "howso")
        .and_then(|layers| layers.flag("--provider", "provider", "eks"))
        .and_then(|layers| layers.flag("--region", "region", "us-east-1"))
        .and_then(|layers| layers.flag("--profile", "profile", "large"))
        .and_then(|layers| layers.flag("--api-access", "kubernetes.api_access", vec!["203.0.113.0/24"]))
        .unwrap();
    let spec = resolve_layers(layers).unwrap().spec;
    assert_eq!((spec.name.as_str(), spec.profile.as_str(), spec.zones.get()), ("howso", "large", 3));
}

#[test]
fn every_value_is_explained_once_and_in_order() {
    let resolved = valid_with("[tags]\n\"cost center\" = \"a\"\n");
    let explained = resolved.origins.explain();
    let paths: Vec<_> = explained.iter().map(|value| value.path.clone()).collect();
    assert!(paths.is_sorted());
    let find = |path: &str| {
        let value = explained.iter().find(|value| value.path.to_string() == path).unwrap_or_else(|| panic!("{path}"));
        format!("{} <- {}", value.value, value.origin)
    };
    assert_eq!(find("name"), "\"howso\" <- howso-infra.toml:1:8");
    assert_eq!(find("tags.\"cost center\""), "\"a\" <- howso-infra.toml:5:17");
    assert_eq!(find("engine.request_timeout"), "\"30s\" <- default");
    assert!(find("kubernetes.control_plane_logs").starts_with("[\"audit\"] <- profile small:"));
    assert_eq!(find("workers.default.spot"), "false <- default");
}

#[test]
fn mistakes_found_later_get_their_place() {
    let resolved = valid_with("zones = 1\n");
    let error = |path: &str| SpecError::new(SpecErrorKind::Conflict, path, "two zones are needed", None);
    let errors = resolved.origins.locate(SpecErrors::from(vec![error("nowhere"), error("zones")]));
    assert_eq!(errors.to_string(), "howso-infra.toml:4:9: zones: two zones are needed\nnowhere: two zones are needed");
}

#[test]
fn a_conflict_points_at_the_higher_layer_and_names_the_other() {
    let layers = file("").flag("--worker-min", "workers.default.min", 3).unwrap();
    let errors = resolve_layers(layers).unwrap_err().errors;
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].kind, SpecErrorKind::Conflict);
    assert_eq!(errors[0].path, KeyPath::dotted("workers.default.min"));
    assert_eq!(errors[0].origin.as_ref().unwrap().to_string(), "--worker-min");
    assert!(
        errors[0].hint.as_deref().unwrap().contains("workers.default.max is set by profile small:"),
        "{}",
        errors[0]
    );
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let layers = file("").environment([variable("HOWSO_INFRA_NAME", "")], &[]).unwrap();
    assert_eq!(resolve_layers(layers).unwrap().spec.name.as_str(), "howso");
}

#[test]
fn an_open_endpoint_is_permitted_only_by_flag_or_environment() {
    let open = "kubernetes.api_access = [\"0.0.0.0/0\"]\n";
    let errors = resolve_layers(file(open)).unwrap_err().errors;
    assert_eq!((errors.len(), errors[0].kind), (1, SpecErrorKind::Conflict));

    let flag = file(open).flag("--allow-open-endpoint", "allow_open_endpoint", true).unwrap();
    let resolved = resolve_layers(flag).unwrap();
    assert_eq!(resolved.spec.api_access, crate::spec::ApiAccess::Open);
    assert_eq!(resolved.warnings.iter().filter(|w| w.kind == crate::spec::SpecWarningKind::OpenEndpoint).count(), 1);

    let environment = file(open).environment([variable("HOWSO_INFRA_ALLOW_OPEN_ENDPOINT", "true")], &[]).unwrap();
    assert_eq!(resolve_layers(environment).unwrap().spec.api_access, crate::spec::ApiAccess::Open);

    // Said in a file it is refused, even when a flag says it too.
    let both = file(&format!("allow_open_endpoint = true\n{open}"));
    let both = both.flag("--allow-open-endpoint", "allow_open_endpoint", true).unwrap();
    let errors = resolve_layers(both).unwrap_err().errors;
    assert_eq!((errors.len(), errors[0].kind), (1, SpecErrorKind::NotAllowedHere));
    assert_eq!(errors[0].origin.as_ref().unwrap().to_string(), "howso-infra.toml:4:1");
}

#[test]
fn tables_of_other_providers_and_of_an_unknown_chosen_one_are_tolerated() {
    assert!(valid_with("[gke]\nproject = \"x\"\n").spec.provider_options.is_empty());
    let text = "name = \"howso\"\nprovider = \"toy\"\nregion = \"here\"\n[toy]\nfolder = \"x\"\n";
    let spec = resolve_file(text).unwrap().spec;
    assert_eq!(serde_json::to_string(&spec.provider_options).unwrap(), r#"{"folder":"x"}"#);
}
