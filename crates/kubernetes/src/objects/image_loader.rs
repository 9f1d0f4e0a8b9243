//! The image loader: a pod on every worker node, of the image that trainees run, so that a new node fetches it before the first trainee
//! asks for it (the performance guide of the platform counts on that).

use howso_infra_core::Resource;
use howso_infra_core::inside::SYSTEM_NAMESPACE;
use howso_infra_core::inside::{Inside, Pool, PoolRole, WorkerImage};
use serde_json::{Value as Json, json};

use crate::kinds::DAEMON_SET;
use crate::manifest::{Name, resource};

/// The name of the daemon set.
pub(super) const NAME: &str = "howso-image-loader";

/// The loader of an image; nothing where no pool has workers.
pub(super) fn build(inside: &Inside) -> Option<Resource> {
    let image = inside.worker_image.as_ref()?;
    let workers: Vec<Json> = inside.pools.iter().filter(|pool| pool.role == PoolRole::Worker).map(of_pool).collect();
    let name = Name { namespace: Some(SYSTEM_NAMESPACE), name: NAME };
    (!workers.is_empty()).then(|| resource(DAEMON_SET, name, &json!({ "spec": spec(image, &workers) })))
}

fn of_pool(pool: &Pool) -> Json {
    let (key, value) = &pool.member_label;
    json!({ "matchExpressions": [{ "key": key, "operator": "In", "values": [value] }] })
}

fn spec(WorkerImage { image, pull_secret }: &WorkerImage, workers: &[Json]) -> Json {
    let labels = json!({ "app": NAME });
    let mut spec = json!({
        "selector": { "matchLabels": labels },
        "template": {
            "metadata": { "labels": labels },
            "spec": {
                "affinity": {
                    "nodeAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": { "nodeSelectorTerms": workers },
                    },
                },
                "automountServiceAccountToken": false,
                "containers": [{
                    "name": "image",
                    "image": image.as_str(),
                    // Everything has been done once this runs: the image is there. The number is as long as every `sleep` understands.
                    "command": ["sleep", "2147483647"],
                    "imagePullPolicy": "IfNotPresent",
                    "resources": { "requests": { "cpu": "1m", "memory": "4Mi" }, "limits": { "memory": "32Mi" } },
                    "securityContext": {
                        "allowPrivilegeEscalation": false,
                        "capabilities": { "drop": ["ALL"] },
                        "readOnlyRootFilesystem": true,
                    },
                }],
                "securityContext": {
                    "runAsNonRoot": true,
                    "runAsUser": 65_534,
                    "seccompProfile": { "type": "RuntimeDefault" },
                },
                // What sleeps need not be waited for.
                "terminationGracePeriodSeconds": 0,
                // Whatever else the pool's own taints keep off.
                "tolerations": [{ "operator": "Exists" }],
            },
        },
        // A new image is fetched by all nodes at once, rather than one after the other.
        "updateStrategy": { "type": "RollingUpdate", "rollingUpdate": { "maxUnavailable": "100%" } },
    });
    if let Some(secret) = pull_secret {
        spec["template"]["spec"]["imagePullSecrets"] = json!([{ "name": secret.as_str() }]);
    }
    spec
}
