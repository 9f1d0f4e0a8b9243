//! Pod identity associations: which role the pods of a service account have.

use serde_json::{Value, json};

use crate::eks::{Call, Object, in_use, not_found};
use crate::error::{Answer, ApiError};
use crate::wire::seconds;

const SERVICE: &str = "pods.eks.amazonaws.com";

pub(super) fn create(call: &mut Call<'_>) -> Answer {
    let cluster = call.cluster()?;
    let (namespace, account) = (call.text("namespace"), call.text("serviceAccount"));
    let is_same = |own: &&Object| own.text("namespace") == namespace && own.text("serviceAccount") == account;
    if cluster.associations.values().any(|own| is_same(&own)) {
        let message = format!("Association already exists for serviceAccount {account} in namespace {namespace}");
        return Err(in_use(message));
    }
    call.check_role(call.text("roleArn"), SERVICE)?;
    let name = cluster.own.text("name").to_owned();
    let id = format!("a-{}", call.chance.letters(17));
    let mut value =
        call.given(&["clusterName", "namespace", "serviceAccount", "roleArn", "disableSessionTags", "targetRoleArn"]);
    value.insert("associationArn".to_owned(), json!(call.arn("podidentityassociation", &format!("{name}/{id}"))));
    value.insert("associationId".to_owned(), json!(id));
    value.insert("tags".to_owned(), call.parameters.get("tags").cloned().unwrap_or_else(|| json!({})));
    value.insert("createdAt".to_owned(), json!(seconds(call.now)));
    value.insert("modifiedAt".to_owned(), json!(seconds(call.now)));
    let own = Object::new(Value::Object(value));
    let answer = own.described();
    call.cluster_mut()?.associations.insert(id, own);
    Ok(json!({ "association": answer }))
}

fn missing(id: &str) -> ApiError {
    not_found(format!("The association {id} could not be found"))
}

pub(super) fn describe(call: &mut Call<'_>) -> Answer {
    let id = call.text("associationId");
    let found = call.cluster()?.associations.get(id).ok_or_else(|| missing(id))?;
    Ok(json!({ "association": found.described() }))
}

/// A list of summaries: less than a description.
pub(super) fn list(call: &mut Call<'_>) -> Answer {
    let is_wanted = |own: &&Object| {
        ["namespace", "serviceAccount"]
            .iter()
            .all(|name| call.text(name).is_empty() || call.text(name) == own.text(name))
    };
    let members = ["clusterName", "namespace", "serviceAccount", "associationArn", "associationId"];
    let summary = |own: &Object| {
        let members = members.iter().map(|name| ((*name).to_owned(), own.value[*name].clone()));
        Value::Object(members.collect())
    };
    let found: Vec<Value> = call.cluster()?.associations.values().filter(is_wanted).map(summary).collect();
    call.page("associations", &found)
}

pub(super) fn update(call: &mut Call<'_>) -> Answer {
    if !call.text("roleArn").is_empty() {
        call.check_role(call.text("roleArn"), SERVICE)?;
    }
    let id = call.text("associationId").to_owned();
    let mut given = call.given(&["roleArn", "disableSessionTags", "targetRoleArn"]);
    given.insert("modifiedAt".to_owned(), json!(seconds(call.now)));
    let found = call.cluster_mut()?.associations.get_mut(&id).ok_or_else(|| missing(&id))?;
    found.value.extend(given);
    Ok(json!({ "association": found.described() }))
}

pub(super) fn delete(call: &mut Call<'_>) -> Answer {
    let id = call.text("associationId").to_owned();
    let gone = call.cluster_mut()?.associations.remove(&id).ok_or_else(|| missing(&id))?;
    Ok(json!({ "association": gone.described() }))
}
