//! Instance profiles: what an instance is given so that it can take on a role.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::{Iam, tags};
use crate::account::{ACCOUNT_ID, Chance};
use crate::authorization::Resource;
use crate::error::{Answer, ApiError};
use crate::invariants::{Made, Tags};
use crate::wire::seconds;

/// How long EC2 does not know of a change of a profile. No number is documented; the field has seen some seconds.
const VISIBLE_AFTER: SignedDuration = SignedDuration::from_secs(8);

/// A profile, as it is described, with the role in it.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    value: Map<String, Value>,
    tags: BTreeMap<String, String>,
    /// One at most (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
    role: Option<String>,
    changed: Timestamp,
}

impl Profile {
    pub(super) fn arn(&self) -> &str {
        self.value.get("Arn").and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn made(&self) -> Made<'_> {
        Made { id: self.arn(), tags: Tags::Texts(&self.tags) }
    }

    pub(super) fn has(&self, role: &str) -> bool {
        self.role.as_deref() == Some(role)
    }

    pub(super) fn described(&self, iam: &Iam) -> Value {
        let mut value = self.value.clone();
        let role = self.role.as_ref().and_then(|name| iam.roles.get(name));
        value.insert("Roles".to_owned(), role.map(|role| json!(role.value)).into_iter().collect());
        if !self.tags.is_empty() {
            let tags = self.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value }));
            value.insert("Tags".to_owned(), tags.collect());
        }
        Value::Object(value)
    }
}

impl Iam {
    /// A profile by name or ARN, as EC2 knows it at `now`.
    pub(crate) fn instance_profile(&self, named: &str, now: Timestamp) -> Option<Value> {
        let profile = self.profiles.get(last_part(named)).filter(|profile| now >= profile.changed + VISIBLE_AFTER)?;
        Some(profile.described(self))
    }

    /// A profile by name or ARN.
    pub(crate) fn profile_of(&self, named: &str) -> Option<Value> {
        self.profiles.get(last_part(named)).map(|profile| profile.described(self))
    }

    /// The ARN and the tags of a profile, when it exists.
    pub(crate) fn named_profile(&self, name: &str) -> Option<Resource> {
        let profile = self.profiles.get(name)?;
        Some(Resource { arn: profile.arn().to_owned(), tags: profile.tags.clone() })
    }

    fn profile(&mut self, name: &str) -> Result<&mut Profile, ApiError> {
        let missing = || ApiError::new("NoSuchEntity", format!("Instance Profile {name} cannot be found."));
        self.profiles.get_mut(name).ok_or_else(missing)
    }
}

/// The name in an ARN, or the name itself.
fn last_part(named: &str) -> &str {
    named.rsplit('/').next().unwrap_or(named)
}

fn text<'a>(parameters: &'a Value, name: &str) -> &'a str {
    parameters.get(name).and_then(Value::as_str).unwrap_or_default()
}

pub(super) fn create(iam: &mut Iam, parameters: &Value, chance: &mut Chance, now: Timestamp) -> Answer {
    let name = text(parameters, "InstanceProfileName");
    if iam.profiles.keys().any(|existing| existing.eq_ignore_ascii_case(name)) {
        return Err(ApiError::new("EntityAlreadyExists", format!("Instance Profile {name} already exists.")));
    }
    let path = parameters.get("Path").and_then(Value::as_str).unwrap_or("/");
    let value = json!({
        "Path": path,
        "InstanceProfileName": name,
        "InstanceProfileId": format!("AIPA{}", chance.letters(16).to_uppercase()),
        "Arn": format!("arn:aws:iam::{ACCOUNT_ID}:instance-profile{path}{name}"),
        "CreateDate": seconds(now),
    });
    let Value::Object(value) = value else { return Err(ApiError::internal("a profile is an object")) };
    let profile = Profile { value, tags: tags(&parameters["Tags"])?, role: None, changed: now };
    let described = profile.described(iam);
    iam.profiles.insert(name.to_owned(), profile);
    Ok(json!({ "InstanceProfile": described }))
}

pub(super) fn get(iam: &mut Iam, name: &str) -> Answer {
    let profile = iam.profile(name)?.clone();
    Ok(json!({ "InstanceProfile": profile.described(iam) }))
}

pub(super) fn tag(iam: &mut Iam, parameters: &Value) -> Answer {
    let given = tags(&parameters["Tags"])?;
    iam.profile(text(parameters, "InstanceProfileName"))?.tags.extend(given);
    Ok(json!({}))
}

pub(super) fn add_role(iam: &mut Iam, parameters: &Value, now: Timestamp) -> Answer {
    let role = text(parameters, "RoleName").to_owned();
    iam.role(&role)?;
    let profile = iam.profile(text(parameters, "InstanceProfileName"))?;
    if profile.role.is_some() {
        let message = "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1";
        return Err(ApiError::new("LimitExceeded", message));
    }
    profile.role = Some(role);
    profile.changed = now;
    Ok(json!({}))
}

pub(super) fn remove_role(iam: &mut Iam, parameters: &Value, now: Timestamp) -> Answer {
    let (role, name) = (text(parameters, "RoleName"), text(parameters, "InstanceProfileName"));
    let profile = iam.profile(name)?;
    if !profile.has(role) {
        let message = format!("Instance Profile {name} does not contain role {role}");
        return Err(ApiError::new("NoSuchEntity", message));
    }
    profile.role = None;
    profile.changed = now;
    Ok(json!({}))
}

pub(super) fn delete(iam: &mut Iam, name: &str) -> Answer {
    if iam.profile(name)?.role.is_some() {
        let message = "Cannot delete entity, must remove roles from instance profile first.";
        return Err(ApiError::new("DeleteConflict", message));
    }
    iam.profiles.remove(name);
    Ok(json!({}))
}
