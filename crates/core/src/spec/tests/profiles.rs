//! What the embedded profiles say, and the specification as text.

use super::{MINIMAL, valid_with};
use crate::spec::{
    ApiAccess, ControlPlaneLog, ControlPlaneLogs, EMBEDDED_PROFILES, Layers, Nat, Protection, SpecWarningKind,
    embedded_profile, resolve,
};

#[test]
fn every_profile_is_a_whole_cluster_but_for_name_provider_and_region() {
    for name in EMBEDDED_PROFILES {
        let resolved = valid_with(&format!("profile = \"{name}\"\n"));
        assert_eq!(resolved.spec.profile, name);
        assert_eq!(resolved.spec.workers.len(), 1);
        assert_eq!(resolved.spec.api_access, ApiAccess::Auto);
        assert_eq!(resolved.spec.core.machine.cpu.get(), 8);
        assert_eq!(resolved.spec.core.machine.memory.mebibytes(), 32 * 1024);
        assert_eq!(resolved.spec.core.max, None);
    }
}

#[test]
fn large_survives_the_loss_of_a_zone_and_logs_everything() {
    let spec = valid_with("profile = \"large\"\n").spec;
    let pool = spec.workers.values().next().unwrap();
    assert_eq!((spec.zones.get(), spec.core.nodes, spec.network.nat), (3, 3, Nat::PerZone));
    assert_eq!((pool.min, pool.max), (0, 20));
    assert_eq!((pool.machine.cpu.get(), pool.machine.memory.mebibytes()), (16, 64 * 1024));
    assert_eq!(spec.deletion_protection, Protection::On);
    assert_eq!(spec.kubernetes.control_plane_logs.types().len(), ControlPlaneLog::ALL.len());
}

#[test]
fn medium_saves_gateways_and_logs_access() {
    let resolved = valid_with("profile = \"medium\"\n");
    let pool = resolved.spec.workers.values().next().unwrap();
    assert_eq!((resolved.spec.core.nodes, resolved.spec.network.nat, pool.max), (3, Nat::Single, 8));
    assert_eq!((pool.machine.cpu.get(), pool.machine.memory.mebibytes()), (16, 64 * 1024));
    assert!(resolved.spec.deletion_protection.is_on());
    let logs = [ControlPlaneLog::Api, ControlPlaneLog::Audit, ControlPlaneLog::Authenticator];
    assert_eq!(resolved.spec.kubernetes.control_plane_logs, ControlPlaneLogs::Only(logs.into()));
    assert_eq!(resolved.warnings, []);
}

#[test]
fn small_is_cheap_unprotected_and_warns_of_its_two_core_nodes() {
    let resolved = valid_with("");
    let pool = resolved.spec.workers.values().next().unwrap();
    assert_eq!((resolved.spec.zones.get(), resolved.spec.core.nodes, resolved.spec.network.nat), (2, 2, Nat::Single));
    assert_eq!((pool.min, pool.max, pool.machine.cpu.get(), pool.machine.memory.mebibytes()), (0, 2, 8, 32 * 1024));
    assert!(!resolved.spec.deletion_protection.is_on());
    let kinds: Vec<_> = resolved.warnings.iter().map(|warning| warning.kind).collect();
    assert_eq!(kinds, [SpecWarningKind::FewCoreNodes]);
    assert!(resolved.warnings[0].to_string().starts_with("profile small:"), "{}", resolved.warnings[0]);
}

#[test]
fn a_profile_of_ones_own_replaces_the_embedded_ones_whole() {
    let layers = Layers::new().file("howso-infra.toml".into(), MINIMAL).unwrap();
    let text = "[workers.only]\nmax = 1\n";
    let layers = layers.profile("mine", Some("profiles/mine.toml".into()), text).unwrap();
    let resolved = resolve(&layers, &super::providers()).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(resolved.spec.profile, "mine");
    assert_eq!(resolved.spec.workers.keys().map(ToString::to_string).collect::<Vec<_>>(), ["only"]);
    assert_eq!(resolved.origins.get("workers.only.max").unwrap().to_string(), "profiles/mine.toml:2:7");
}

#[test]
fn a_pool_may_be_called_worker_when_there_is_no_default_one() {
    let layers = Layers::new().file("howso-infra.toml".into(), MINIMAL).unwrap();
    let layers = layers.profile("mine", None, "[workers.worker]\nmax = 1\n").unwrap();
    assert!(resolve(&layers, &super::providers()).is_ok());
}

#[test]
fn the_least_and_the_most_may_be_the_same() {
    let text = "profile = \"large\"\n[core]\nnodes = 4\nmax = 4\n[workers.default]\nmin = 2\nmax = 2\n";
    let spec = valid_with(text).spec;
    assert_eq!((spec.core.nodes, spec.core.max), (4, Some(4)));
}

#[test]
fn profiles_hold_no_key_twice_over_a_default_by_accident() {
    // A profile that only repeats a default would hide a later change of that default.
    for name in EMBEDDED_PROFILES {
        let text = embedded_profile(name).unwrap();
        for key in ["architecture", "disk", "spot", "engine", "autoscaler", "addons", "types"] {
            assert!(!text.lines().any(|line| line.trim_start().starts_with(key)), "{name}: {key}");
        }
    }
}

#[test]
fn warnings_say_what_has_no_effect_and_what_is_fragile() {
    let text =
        "profile = \"large\"\n[workers.default]\nspot = true\nmachine = { cpu = 4, types = [\"m6i.4xlarge\"] }\n";
    let resolved = valid_with(text);
    let warnings: Vec<_> = resolved.warnings.iter().map(|w| (w.path.to_string(), w.kind)).collect();
    assert_eq!(
        warnings,
        [
            ("workers.default.machine.cpu".to_owned(), SpecWarningKind::ShapeWithoutEffect),
            ("workers.default.machine.types".to_owned(), SpecWarningKind::SpotWithOneType),
        ]
    );
    let chosen = "profile = \"large\"\n[workers.default]\nspot = true\n";
    assert_eq!(valid_with(chosen).warnings, []);
    let two =
        "profile = \"large\"\n[workers.default]\nspot = true\nmachine.types = [\"m6i.4xlarge\", \"m7i.4xlarge\"]\n";
    assert_eq!(valid_with(two).warnings, []);
}

#[test]
fn the_specification_has_one_text_however_it_was_written() {
    let one = "profile = \"large\"\n[kubernetes]\napi_access = [\"203.0.113.0/24\", \"192.0.2.0/24\"]\ncontrol_plane_logs = [\"scheduler\", \"api\"]\n[tags]\nb = \"1\"\na = \"2\"\n[eks.vpc]\ncidr = \"10.0.0.0/16\"\n";
    let other = "profile = \"large\"\neks = { vpc = { cidr = \"10.0.0.0/16\" } }\ntags = { a = \"2\", b = \"1\" }\nkubernetes = { control_plane_logs = [\"api\", \"scheduler\"], api_access = [\"192.0.2.0/24\", \"203.0.113.0/24\"] }\n[core.machine]\nmemory = \"32768MiB\"\narchitecture = \"amd64\"\n";
    let (one, other) = (valid_with(one).spec, valid_with(other).spec);
    assert_eq!(one, other);
    assert_eq!(serde_json::to_string(&one).unwrap(), serde_json::to_string(&other).unwrap());
}

#[test]
fn the_text_of_a_specification_is_stable() {
    let spec = valid_with("profile = \"large\"\njournal = \"s3://journals/team\"\n[workers.default]\ntaints = [\"a=b:NoExecute\"]\nlabels = { x = \"y\" }\n").spec;
    insta::assert_snapshot!(serde_json::to_string_pretty(&spec).unwrap(), @r#"
    {
      "name": "howso",
      "provider": "eks",
      "location": "us-east-1",
      "profile": "large",
      "zones": 3,
      "kubernetes": {
        "version": null,
        "control_plane_logs": "all"
      },
      "api_access": "auto",
      "deletion_protection": "on",
      "network": {
        "nat": "per-zone"
      },
      "core": {
        "nodes": 3,
        "max": null,
        "machine": {
          "cpu": 8,
          "memory": "32Gi",
          "architecture": "x86_64",
          "disk": "100Gi",
          "types": []
        },
        "labels": {}
      },
      "workers": {
        "default": {
          "min": 0,
          "max": 20,
          "machine": {
            "cpu": 16,
            "memory": "64Gi",
            "architecture": "x86_64",
            "disk": "100Gi",
            "types": []
          },
          "purchase": "on-demand",
          "labels": {
            "x": "y"
          },
          "taints": [
            "a=b:NoExecute"
          ]
        }
      },
      "autoscaler": "on",
      "addons": "on",
      "tags": {},
      "journal": "s3://journals/team",
      "engine": {
        "request_timeout": "30s",
        "poll_interval_min": "1s",
        "poll_interval_max": "15s",
        "retry_delay_base": "1s",
        "retry_delay_max": "20s",
        "retry_attempts": 8,
        "step_deadline_max": "2h",
        "visibility_window": "10s",
        "parallelism": 16
      },
      "provider_options": {}
    }
    "#);
}
