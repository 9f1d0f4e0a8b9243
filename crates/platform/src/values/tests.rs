//! Values are what the guide says, whatever the surroundings.

use serde_json::Value;

use super::*;

fn surroundings(container_users: ContainerUsers, core_nodes: u32) -> Surroundings {
    Surroundings {
        container_users,
        core_nodes,
        storage_class: None,
        domain: None,
        object_store: None,
        image_pull_secret: None,
    }
}

fn parsed(release: Release, surroundings: &Surroundings) -> Value {
    let text = values(release, surroundings);
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

#[test]
fn values_are_told_with_the_reason_for_each() {
    let all = Release::ALL.map(|release| values(release, &surroundings(ContainerUsers::Manifest, 3)));
    insta::assert_snapshot!(all.join("---\n"));
}

#[test]
fn openshift_gets_what_it_needs() {
    let whole = Surroundings {
        storage_class: "gp3-csi".parse().ok(),
        domain: "howso.example.com".parse().ok(),
        ..surroundings(ContainerUsers::Platform, 3)
    };
    let all = Release::ALL.map(|release| values(release, &whole));
    insta::assert_snapshot!(all.join("---\n"));
}

#[test]
fn they_are_yaml_in_all_surroundings() {
    for container_users in [ContainerUsers::Manifest, ContainerUsers::Platform] {
        for core_nodes in [1, 2, 3, 9] {
            for class in [None, "fast".parse::<DnsName>().ok()] {
                let surroundings =
                    Surroundings { storage_class: class.clone(), ..surroundings(container_users, core_nodes) };
                for release in Release::ALL {
                    assert!(parsed(release, &surroundings).is_object(), "{release:?}");
                }
                let nats = parsed(Release::Nats, &surroundings);
                assert_eq!(
                    nats["config"]["jetstream"]["fileStore"]["pvc"]["storageClassName"].as_str(),
                    class.as_ref().map(DnsName::as_str)
                );
            }
        }
    }
}

/// The figures of the performance guide's own manifests.
#[test]
fn the_guide_is_followed() {
    let calm = surroundings(ContainerUsers::Manifest, 3);
    let nats = parsed(Release::Nats, &calm);
    assert_eq!(nats["config"]["cluster"]["replicas"], 3);
    assert_eq!(nats["podTemplate"]["topologySpreadConstraints"]["kubernetes.io/hostname"]["maxSkew"], 1);
    assert_eq!(nats["container"]["env"]["GOMEMLIMIT"], "7GiB");
    for bound in ["requests", "limits"] {
        assert_eq!(nats["container"]["merge"]["resources"][bound], serde_json::json!({ "cpu": "2", "memory": "8Gi" }));
    }
    let redis = parsed(Release::Redis, &calm);
    assert_eq!(
        (&redis["replica"]["replicaCount"], &redis["master"]["resourcesPreset"]),
        (&0.into(), &"2xlarge".into())
    );
    let configuration = redis["commonConfiguration"].as_str().expect("a text");
    for line in ["appendonly yes", "save \"\"", "notify-keyspace-events Kgh"] {
        assert!(configuration.lines().any(|own| own == line), "{configuration}");
    }
    assert_eq!(parsed(Release::Postgres, &calm)["primary"]["resourcesPreset"], "large");
    assert_eq!(parsed(Release::Minio, &calm)["resources"]["requests"]["memory"], "2Gi");
    let platform = parsed(Release::Platform, &calm);
    for service in ["api", "restapi", "ums"] {
        let scaling = serde_json::json!({ "minReplicas": 3, "maxReplicas": 10 });
        assert_eq!(platform[service]["autoscaling"], scaling, "{service}");
    }
}

/// What a plan proves is what the values ask for.
#[test]
fn values_ask_for_what_a_plan_proves() {
    for core_nodes in [2, 3] {
        let surroundings = surroundings(ContainerUsers::Manifest, core_nodes);
        let proved = howso_infra_core::sizing::services::services(core_nodes);
        let of = |name: &str| proved.iter().find(|service| service.name == name).expect("it is proved");
        let nats = parsed(Release::Nats, &surroundings);
        assert_eq!(nats["config"]["cluster"]["replicas"], of("NATS").replicas);
        let requests = of("NATS").requests;
        let told = &nats["container"]["merge"]["resources"]["requests"];
        assert_eq!(told["cpu"], (requests.cpu_millicores / 1000).to_string());
        assert_eq!(told["memory"], format!("{}Gi", requests.memory_mebibytes / 1024));
        assert_eq!(
            parsed(Release::Minio, &surroundings)["resources"]["requests"]["memory"],
            format!("{}Gi", of("MinIO").requests.memory_mebibytes / 1024)
        );
        let platform = parsed(Release::Platform, &surroundings);
        for service in AUTOSCALED {
            assert_eq!(platform[service]["autoscaling"]["maxReplicas"], of(service).replicas, "{service}");
        }
    }
}

/// Nothing without the worker taint's toleration runs on workers; that it runs on core nodes is asked for as well, by a text.
#[test]
fn stores_are_kept_on_core_nodes_by_a_text() {
    let calm = surroundings(ContainerUsers::Manifest, 3);
    let selectors = [
        parsed(Release::Nats, &calm)["podTemplate"]["merge"]["spec"]["nodeSelector"].clone(),
        parsed(Release::Redis, &calm)["master"]["nodeSelector"].clone(),
        parsed(Release::Postgres, &calm)["primary"]["nodeSelector"].clone(),
        parsed(Release::Minio, &calm)["nodeSelector"].clone(),
    ];
    for selector in selectors {
        assert_eq!(selector, serde_json::json!({ "howso.com/allowWorkers": "False" }));
    }
}

/// The paths are those of the charts' own values files. The chart of the platform brings the vendor's secret.
#[test]
fn a_private_registry_is_told_who_asks() {
    let calm = Surroundings { image_pull_secret: "registry".parse().ok(), ..surroundings(ContainerUsers::Manifest, 3) };
    let of = |release, pointer| parsed(release, &calm).pointer(pointer).cloned();
    assert_eq!(of(Release::Nats, "/global/image/pullSecretNames"), Some(serde_json::json!(["registry"])));
    assert_eq!(of(Release::Redis, "/global/imagePullSecrets"), Some(serde_json::json!(["registry"])));
    assert_eq!(of(Release::Postgres, "/global/imagePullSecrets"), Some(serde_json::json!(["registry"])));
    assert_eq!(of(Release::Minio, "/imagePullSecrets"), Some(serde_json::json!([{ "name": "registry" }])));
    let without = surroundings(ContainerUsers::Manifest, 3);
    assert_eq!(values(Release::Platform, &calm), values(Release::Platform, &without));
}

/// The paths are those of `helm-external-charts/manifests/values-external-all.yaml` of howsoai/platform-installation-examples.
#[test]
fn a_bucket_takes_the_place_of_minio() {
    let store = ObjectStore {
        endpoint: "https://s3.us-east-1.amazonaws.com".parse().unwrap(),
        bucket: "1e3".parse().unwrap(),
        region: "us-east-1".parse().ok(),
    };
    let calm = Surroundings { object_store: Some(store), ..surroundings(ContainerUsers::Manifest, 3) };
    insta::assert_snapshot!(values(Release::Platform, &calm));
    let told = parsed(Release::Platform, &calm)["datastores"]["objectStore"].clone();
    assert_eq!(told["bucketName"], "1e3", "a text, though it could be a number");
    assert_eq!((&told["scheme"], &told["serverVerification"]), (&"https".into(), &true.into()));
}
