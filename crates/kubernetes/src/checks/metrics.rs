//! Measured use of nodes and pods is available: horizontal autoscaling needs it.

use howso_infra_core::ProviderError;
use serde_json::Value as Json;

use super::Verdict;
use crate::errors::Call;
use crate::list;
use crate::transport::Api;

const SERVICE: &str = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.k8s.io";

pub(super) async fn judge(api: &Api) -> Result<Verdict, ProviderError> {
    let service = list::one(api, &Call::read("get apiservices.apiregistration.k8s.io"), SERVICE).await?;
    Ok(match service {
        None => Verdict::Waits("the metrics API is not there: metrics-server is not installed".to_owned()),
        Some(service) => available(&service),
    })
}

fn available(service: &Json) -> Verdict {
    let conditions = service.pointer("/status/conditions").and_then(Json::as_array);
    let condition = conditions.into_iter().flatten().find(|condition| condition["type"] == "Available");
    match condition {
        Some(condition) if condition["status"] == "True" => Verdict::Passes,
        Some(condition) => {
            let why = condition["message"].as_str().unwrap_or_default();
            Verdict::Waits(format!(
                "the metrics API is not available: {why} (see kubectl -n kube-system logs deploy/metrics-server)"
            ))
        }
        None => Verdict::Waits("the metrics API does not say yet whether it is available".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_condition_decides() {
        let service = |status: &str| {
            json!({ "status": { "conditions": [
            { "type": "Available", "status": status, "message": "no endpoints" },
        ] } })
        };
        assert_eq!(available(&service("True")), Verdict::Passes);
        assert!(matches!(available(&service("False")), Verdict::Waits(why) if why.contains("no endpoints")));
        assert!(matches!(available(&json!({})), Verdict::Waits(_)));
    }
}
