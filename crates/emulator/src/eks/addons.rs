//! Add-ons. Those that run as Deployments are degraded until there is a node for them.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::account::after;
use crate::eks::{Call, Change, Cluster, Object, in_use, inside, invalid, not_found, updates, versions};
use crate::error::{Answer, ApiError};
use crate::wire::seconds;

/// While an add-on waits for nodes, it is looked at again as often as EKS does.
const WAITING: &str = "DEGRADED";

pub(super) fn create(call: &mut Call<'_>) -> Answer {
    let cluster = call.cluster()?;
    if !matches!(cluster.own.status(), "ACTIVE" | "UPDATING") {
        let message = format!("Cluster is {}, not ACTIVE", cluster.own.status());
        return Err(ApiError::new("InvalidRequestException", message));
    }
    let (cluster_name, kubernetes) = (cluster.own.text("name").to_owned(), cluster.own.text("version").to_owned());
    let name = call.text("addonName").to_owned();
    if cluster.addons.contains_key(&name) {
        return Err(in_use("Addon already exists.".to_owned()));
    }
    let newest = versions::addon(&name, &kubernetes)
        .ok_or_else(|| invalid(format!("Addon {name} specified is not supported")))?;
    let version = match call.text("addonVersion") {
        "" => newest,
        version if version == newest => newest,
        version => {
            let message = format!("Addon version {version} specified is not supported");
            return Err(invalid(message));
        }
    };
    let mut value = call.given(&["serviceAccountRoleArn", "configurationValues"]);
    let id = call.chance.uuid();
    let described = json!({
        "addonName": name,
        "clusterName": cluster_name,
        "status": "CREATING",
        "addonVersion": version,
        "health": { "issues": [] },
        "addonArn": call.arn("addon", &format!("{cluster_name}/{name}/{id}")),
        "createdAt": seconds(call.now),
        "modifiedAt": seconds(call.now),
        "tags": call.parameters.get("tags").cloned().unwrap_or_else(|| json!({})),
        "podIdentityAssociations": [],
    });
    if let Value::Object(described) = described {
        value.extend(described);
    }
    let mut own = Object::new(Value::Object(value));
    let ready = after(call.now, call.chance.duration(15.0, 0.2));
    own.change = Some((ready, Change::Becomes(Map::from_iter([("status".to_owned(), json!("ACTIVE"))]))));
    let answer = own.described();
    call.cluster_mut()?.addons.insert(name.clone(), own);
    let now = call.now;
    inside::with(call.region, call.chance, &cluster_name, |kubernetes, cloud| kubernetes.install(&name, now, cloud));
    Ok(json!({ "addon": answer }))
}

/// Lets add-ons become what they have become.
pub(super) fn pass_time(cluster: &mut Cluster, now: Timestamp) {
    let has_nodes = cluster.nodegroups.values().any(|group| {
        matches!(group.status(), "ACTIVE" | "UPDATING") && group.value["scalingConfig"]["desiredSize"] != json!(0)
    });
    cluster.addons.retain(|name, addon| {
        if !addon.pass_time(now) {
            return false;
        }
        let issue = "The add-on is unhealthy because it doesn't have the desired number of replicas.";
        if versions::needs_nodes(name) && !has_nodes && addon.status() == "ACTIVE" {
            addon.set("status", WAITING);
            addon.set("health", json!({ "issues": [{ "code": "InsufficientNumberOfReplicas", "message": issue }] }));
        } else if has_nodes && addon.status() == WAITING {
            addon.set("status", "ACTIVE");
            addon.set("health", json!({ "issues": [] }));
        }
        true
    });
}

pub(super) fn describe(call: &mut Call<'_>) -> Answer {
    let name = call.text("addonName");
    let found = call.cluster()?.addons.get(name);
    Ok(json!({ "addon": found.ok_or_else(|| missing(call, name))?.described() }))
}

fn missing(call: &Call<'_>, name: &str) -> ApiError {
    not_found(format!("No addon: {name} found in cluster: {}", call.text("clusterName")))
}

pub(super) fn update(call: &mut Call<'_>) -> Answer {
    let name = call.text("addonName").to_owned();
    let missing = missing(call, &name);
    let addon = call.cluster()?.addons.get(&name).ok_or(missing)?;
    if matches!(addon.status(), "CREATING" | "UPDATING" | "DELETING") {
        return Err(in_use(format!("Addon {name} cannot be updated as it is currently {}", addon.status())));
    }
    let mut becomes = call.given(&["addonVersion", "configurationValues", "serviceAccountRoleArn"]);
    let parameters = becomes.iter().map(|(name, value)| {
        let told = format!("{}{}", name[..1].to_uppercase(), &name[1..]);
        json!({ "type": told, "value": value.as_str() })
    });
    let parameters: Vec<Value> = parameters.collect();
    let (update, done) = updates::new(call, "AddonUpdate", &parameters, 15.0);
    becomes.insert("status".to_owned(), json!("ACTIVE"));
    becomes.insert("modifiedAt".to_owned(), json!(seconds(call.now)));
    let cluster = call.cluster_mut()?;
    if let Some(addon) = cluster.addons.get_mut(&name) {
        addon.set("status", "UPDATING");
        addon.change = Some((done, Change::Becomes(becomes)));
    }
    Ok(updates::keep(cluster, update))
}

pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let name = call.text("addonName").to_owned();
    let missing = missing(call, &name);
    let gone = after(call.now, call.chance.duration(10.0, 0.5));
    let addon = call.cluster_mut()?.addons.get_mut(&name).ok_or(missing)?;
    if addon.status() != "DELETING" {
        addon.set("status", "DELETING");
        addon.change = Some((gone, Change::Gone));
    }
    let answer = addon.described();
    if call.parameters["preserve"] != true {
        let (cluster, now) = (call.text("clusterName").to_owned(), call.now);
        inside::with(call.region, call.chance, &cluster, |kubernetes, cloud| kubernetes.uninstall(&name, now, cloud));
    }
    Ok(json!({ "addon": answer }))
}
