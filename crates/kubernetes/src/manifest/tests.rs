use howso_infra_core::{DeploymentId, Generation};
use serde_json::json;

use super::*;
use crate::kinds::PRIORITY_CLASS;

fn identity() -> ClusterIdentity {
    ClusterIdentity {
        cluster: "demo".to_owned(),
        deployment: DeploymentId::from_bytes([7; 16]),
        generation: Generation::FIRST,
    }
}

fn wanted() -> Resource {
    let manifest = json!({ "metadata": { "labels": { "a": "b" } }, "value": 5, "description": "d" });
    resource(PRIORITY_CLASS, Name { namespace: None, name: "first" }, &manifest)
}

#[test]
fn what_is_sent_says_whose_it_is() {
    let wanted = wanted();
    let object = ObjectKind::of(&wanted.id).unwrap();
    let sent = to_send(object, &wanted.attributes, &identity(), &wanted.id);
    assert_eq!(sent["metadata"]["labels"]["howso-infra/deployment"], "07".repeat(16));
    assert_eq!(sent["metadata"]["annotations"]["howso-infra/resource"], "kubernetes/priority-class:first");
    assert_eq!(
        (&sent["metadata"]["labels"]["a"], &sent["value"], &sent["kind"]),
        (&json!("b"), &json!(5), &json!("PriorityClass"))
    );
    let ownership = ownership::of(&sent, "demo", Some(&identity().deployment));
    assert!(matches!(ownership, howso_infra_core::Ownership::Ours { .. }), "{ownership:?}");
    assert!(matches!(ownership::of(&sent, "other", None), howso_infra_core::Ownership::Foreign { .. }));
}

#[test]
fn an_object_that_was_applied_is_observed_as_it_was_wanted() {
    let wanted = wanted();
    let object = ObjectKind::of(&wanted.id).unwrap();
    let mut live = to_send(object, &wanted.attributes, &identity(), &wanted.id);
    live["metadata"]["managedFields"] = json!([{
        "manager": "howso-infra", "operation": "Apply",
        "fieldsV1": {
            "f:metadata": { "f:labels": { "f:a": {}, "f:howso-infra/cluster": {} } },
            "f:value": {}, "f:description": {},
        },
    }]);
    live["metadata"]["labels"]["theirs"] = json!("stays");
    let observed = observed(object, &live, "contents");
    for (field, value) in &wanted.attributes {
        assert_eq!(observed.get(field), Some(value), "{field}");
    }
}

#[test]
fn a_field_that_somebody_took_over_is_seen_to_differ() {
    let wanted = wanted();
    let object = ObjectKind::of(&wanted.id).unwrap();
    let mut live = to_send(object, &wanted.attributes, &identity(), &wanted.id);
    live["value"] = json!(9);
    live["metadata"]["managedFields"] = json!([{
        "manager": "howso-infra", "operation": "Apply", "fieldsV1": { "f:description": {} },
    }]);
    let observed = observed(object, &live, "contents");
    assert_eq!(observed.get("value"), Some(&Value::Integer(9)));
    assert_eq!(observed.get("labels"), Some(&Value::Map(Attributes::new())));
}
