use howso_infra_core::Value;
use serde_json::json;

use super::*;

const GROUP: &str = "eks.amazonaws.com/nodegroup";

fn pools(min: u32) -> Attributes {
    let pool = Attributes::from([
        ("name".to_owned(), Value::text("pool")),
        ("label".to_owned(), Value::text(GROUP)),
        ("value".to_owned(), Value::text("group")),
        ("min".to_owned(), min.into()),
    ]);
    Attributes::from([("pools".to_owned(), Value::List(vec![Value::Map(pool)]))])
}

fn node(name: &str, group: &str, ready: &str, label: Option<&str>, taint: Option<&str>) -> Json {
    let mut node = json!({
        "metadata": { "name": name, "labels": { GROUP: group } },
        "status": { "conditions": [{ "type": "Ready", "status": ready }] },
    });
    if let Some(label) = label {
        node["metadata"]["labels"][CORE_LABEL.0] = json!(label);
    }
    if let Some(effect) = taint {
        node["spec"]["taints"] = json!([{ "key": WORKER_TAINT.0, "value": WORKER_TAINT.1, "effect": effect }]);
    }
    node
}

fn missing(verdict: Verdict) -> String {
    match verdict {
        Verdict::Passes => "passes".to_owned(),
        Verdict::Waits(what) => what,
    }
}

#[test]
fn core_nodes_are_ready_and_labelled_with_a_text() {
    let good = node("a", "group", "True", Some("False"), None);
    assert_eq!(core(std::slice::from_ref(&good), &pools(1)), Verdict::Passes);
    let told = [
        core(std::slice::from_ref(&good), &pools(2)),
        core(&[good.clone(), node("b", "group", "False", Some("False"), None)], &pools(2)),
        core(&[good.clone(), node("b", "group", "True", None, None)], &pools(2)),
        core(&[good.clone(), node("b", "group", "True", Some("false"), None)], &pools(2)),
        core(&[good, node("b", "other", "True", Some("False"), None)], &pools(1)),
    ]
    .map(missing)
    .join("\n");
    insta::assert_snapshot!(told, @r"
    1 of 2 core nodes of pool ready
    1 of 2 core nodes of pool ready (not: b; see kubectl describe node)
    b: no label howso.com/allowWorkers=False (replace such nodes: labels and taints are set when a node joins)
    b: no label howso.com/allowWorkers=False (replace such nodes: labels and taints are set when a node joins)
    b: the label howso.com/allowWorkers=False, though not of the core pool (replace such nodes: labels and taints are set when a node joins)
    ");
}

#[test]
fn every_worker_node_is_tainted() {
    let good = node("a", "group", "True", None, Some("NoSchedule"));
    assert_eq!(workers(&[], &pools(0)), Verdict::Passes);
    assert_eq!(workers(&[good.clone(), node("c", "core", "True", None, None)], &pools(1)), Verdict::Passes);
    let told = [
        workers(&[], &pools(1)),
        workers(&[good.clone(), node("b", "group", "True", None, None)], &pools(1)),
        workers(&[good, node("b", "group", "True", None, Some("NoExecute"))], &pools(1)),
    ]
    .map(missing)
    .join("\n");
    insta::assert_snapshot!(told, @r"
    0 of 1 worker node of pool ready
    b: no taint howso.com/nodetype=worker:NoSchedule (replace such nodes: labels and taints are set when a node joins)
    b: no taint howso.com/nodetype=worker:NoSchedule (replace such nodes: labels and taints are set when a node joins)
    ");
}

#[test]
fn many_nodes_are_counted() {
    let nodes: Vec<Json> = (0..5).map(|number| node(&format!("n{number}"), "group", "True", None, None)).collect();
    assert!(missing(workers(&nodes, &pools(0))).starts_with("n0, n1, n2 and 2 more: no taint"));
}
