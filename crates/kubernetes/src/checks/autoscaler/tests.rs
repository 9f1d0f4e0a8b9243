use howso_infra_core::Value;
use serde_json::json;

use super::*;

const STATUS: &str = "\
time: 2026-11-25 10:00:00 +0000 UTC
autoscalerStatus: Running
clusterWide:
  health:
    status: Healthy
nodeGroups:
- name: eks-worker-1
  health:
    status: Healthy
    nodeCounts:
      registered:
        total: 0
    cloudProviderTarget: 0
    minSize: 0
    maxSize: 20
";

fn expected(groups: &[(&str, i64, i64)]) -> Attributes {
    let group = |(name, min, max): &(&str, i64, i64)| {
        Value::Map(Attributes::from([
            ("pool".to_owned(), Value::text("worker")),
            ("name".to_owned(), Value::text(*name)),
            ("min".to_owned(), (*min).into()),
            ("max".to_owned(), (*max).into()),
        ]))
    };
    Attributes::from([("groups".to_owned(), Value::List(groups.iter().map(group).collect()))])
}

#[test]
fn every_pool_is_listed_with_its_bounds() {
    assert_eq!(groups(STATUS, &expected(&[("eks-worker-1", 0, 20)])), Verdict::Passes);
    assert_eq!(groups(STATUS, &expected(&[])), Verdict::Passes);
    for wrong in [&[("eks-worker-2", 0, 20)][..], &[("eks-worker-1", 0, 30)], &[("eks-worker-1", 1, 20)]] {
        assert!(matches!(groups(STATUS, &expected(wrong)), Verdict::Waits(_)), "{wrong:?}");
    }
    assert!(matches!(groups("nodeGroups: 5", &expected(&[])), Verdict::Waits(_)));
}

#[test]
fn a_lease_that_is_not_renewed_is_not_held() {
    let lease = |holder: &str| json!({ "spec": { "holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": "2026-11-25T10:00:00.000000Z" } });
    assert_eq!(unheld(&lease("pod"), Some("Wed, 25 Nov 2026 10:00:20 GMT")), None);
    assert!(unheld(&lease("pod"), Some("Wed, 25 Nov 2026 10:05:00 GMT")).is_some_and(|why| why.contains("300 s")));
    assert!(unheld(&lease(""), Some("Wed, 25 Nov 2026 10:00:20 GMT")).is_some());
    assert_eq!(unheld(&lease("pod"), None), None);
}
