//! AWS IAM: roles with their policies, and the profiles by which instances take them on. Global, and consistent only after a while.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::account::{ACCOUNT_ID, Chance};
use crate::authorization::{Permissions, Resource};
use crate::error::{Answer, ApiError};
use crate::invariants::{Made, Tags};
use crate::wire::{Request, seconds};

mod profiles;

use profiles::Profile;

/// The roles and the instance profiles, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Iam {
    roles: BTreeMap<String, Role>,
    profiles: BTreeMap<String, Profile>,
}

/// A role, as it is described, with its policies.
#[derive(Clone, Debug)]
struct Role {
    value: Map<String, Value>,
    tags: BTreeMap<String, String>,
    /// The policies that are attached, by ARN.
    attached: BTreeSet<String>,
    /// The policies that are written into it, by name.
    inline: BTreeMap<String, String>,
}

/// How many managed policies a role may have: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>.
const ATTACHED_LIMIT: usize = 10;

impl Role {
    fn arn(&self) -> &str {
        self.value.get("Arn").and_then(Value::as_str).unwrap_or_default()
    }

    fn described(&self) -> Value {
        let mut value = self.value.clone();
        if !self.tags.is_empty() {
            let tags = self.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value }));
            value.insert("Tags".to_owned(), tags.collect());
        }
        Value::Object(value)
    }
}

/// Carries out an operation.
pub(crate) fn call(request: &Request, iam: &mut Iam, chance: &mut Chance, now: Timestamp) -> Answer {
    let parameters = &request.parameters;
    let text = |name: &str| parameters.get(name).and_then(Value::as_str).unwrap_or_default();
    let name = text("RoleName");
    match request.operation.name.as_str() {
        "CreateRole" => create(iam, parameters, chance, now),
        "GetRole" => {
            let mut described = iam.role(name)?.described();
            described["RoleLastUsed"] = json!({});
            Ok(json!({ "Role": described }))
        }
        "ListInstanceProfilesForRole" => {
            iam.role(name)?;
            let found: Vec<Value> =
                iam.profiles.values().filter(|own| own.has(name)).map(|own| own.described(iam)).collect();
            page(parameters, "InstanceProfiles", &found)
        }
        "CreateInstanceProfile" => profiles::create(iam, parameters, chance, now),
        "GetInstanceProfile" => profiles::get(iam, text("InstanceProfileName")),
        "TagInstanceProfile" => profiles::tag(iam, parameters),
        "AddRoleToInstanceProfile" => profiles::add_role(iam, parameters, now),
        "RemoveRoleFromInstanceProfile" => profiles::remove_role(iam, parameters, now),
        "DeleteInstanceProfile" => profiles::delete(iam, text("InstanceProfileName")),
        "DeleteRole" => {
            let role = iam.role(name)?;
            if !role.attached.is_empty() || !role.inline.is_empty() {
                let message = "Cannot delete entity, must detach all policies first.";
                return Err(ApiError::new("DeleteConflict", message));
            }
            if iam.profiles.values().any(|profile| profile.has(name)) {
                let message = "Cannot delete entity, must remove roles from instance profile first.";
                return Err(ApiError::new("DeleteConflict", message));
            }
            iam.roles.remove(name);
            Ok(json!({}))
        }
        "UpdateAssumeRolePolicy" => {
            let document = document(text("PolicyDocument"))?;
            iam.role(name)?.value.insert("AssumeRolePolicyDocument".to_owned(), json!(document));
            Ok(json!({}))
        }
        "TagRole" => {
            iam.role(name)?.tags.extend(tags(&parameters["Tags"])?);
            Ok(json!({}))
        }
        "UntagRole" => {
            let keys = parameters["TagKeys"].as_array().cloned().unwrap_or_default();
            let role = iam.role(name)?;
            keys.iter().filter_map(Value::as_str).for_each(|key| drop(role.tags.remove(key)));
            Ok(json!({}))
        }
        "AttachRolePolicy" => {
            let policy = text("PolicyArn");
            if !is_managed(policy) {
                let message = format!("Policy {policy} does not exist or is not attachable.");
                return Err(ApiError::new("NoSuchEntity", message));
            }
            let role = iam.role(name)?;
            role.attached.insert(policy.to_owned());
            if role.attached.len() > ATTACHED_LIMIT {
                role.attached.remove(policy);
                let message = format!("Cannot exceed quota for PoliciesPerRole: {ATTACHED_LIMIT}");
                return Err(ApiError::new("LimitExceeded", message));
            }
            Ok(json!({}))
        }
        "DetachRolePolicy" => {
            if iam.role(name)?.attached.remove(text("PolicyArn")) {
                return Ok(json!({}));
            }
            Err(ApiError::new("NoSuchEntity", format!("Policy {} was not found.", text("PolicyArn"))))
        }
        "ListAttachedRolePolicies" => {
            let policy = |arn: &String| json!({ "PolicyArn": arn, "PolicyName": arn.rsplit('/').next() });
            let policies: Vec<Value> = iam.role(name)?.attached.iter().map(policy).collect();
            page(parameters, "AttachedPolicies", &policies)
        }
        "ListRolePolicies" => {
            let names: Vec<Value> = iam.role(name)?.inline.keys().map(|name| json!(name)).collect();
            page(parameters, "PolicyNames", &names)
        }
        "PutRolePolicy" => {
            check_json(text("PolicyDocument"))?;
            let (policy, document) = (text("PolicyName").to_owned(), text("PolicyDocument").to_owned());
            iam.role(name)?.inline.insert(policy, document);
            Ok(json!({}))
        }
        "GetRolePolicy" => {
            let policy = text("PolicyName");
            let document = iam.role(name)?.inline.get(policy).ok_or_else(|| no_policy(policy))?;
            Ok(json!({ "RoleName": name, "PolicyName": policy, "PolicyDocument": encoded(document) }))
        }
        "DeleteRolePolicy" => {
            let policy = text("PolicyName");
            iam.role(name)?.inline.remove(policy).ok_or_else(|| no_policy(policy))?;
            Ok(json!({}))
        }
        other => Err(ApiError::internal(format!("{other} is not emulated"))),
    }
}

/// Tells which actions the caller may do, on everything and without conditions: resources and tags cannot be given here.
pub(crate) fn simulate(request: &Request, permissions: &Permissions) -> Answer {
    let actions = request.parameters.get("ActionNames").and_then(Value::as_array);
    let evaluate = |action: &Value| {
        let name = action.as_str().unwrap_or_default();
        let decision = if permissions.allows_anywhere(name)? { "allowed" } else { "implicitDeny" };
        Ok(json!({ "EvalActionName": name, "EvalResourceName": "*", "EvalDecision": decision }))
    };
    let results: Vec<Value> = actions.into_iter().flatten().map(evaluate).collect::<Result<_, ApiError>>()?;
    page(&request.parameters, "EvaluationResults", &results)
}

impl Iam {
    /// The ARN and the tags of a role, when it exists.
    pub(crate) fn named(&self, name: &str) -> Option<Resource> {
        let role = self.roles.get(name)?;
        Some(Resource { arn: role.arn().to_owned(), tags: role.tags.clone() })
    }

    /// The ARN of every role and every profile.
    pub(crate) fn identifiers(&self) -> impl Iterator<Item = &str> {
        self.roles.values().map(Role::arn).chain(self.profiles.values().map(Profile::arn))
    }

    /// A role with its policies, or a profile, by its ARN.
    pub(crate) fn described(&self, arn: &str) -> Option<Value> {
        if let Some(role) = self.roles.values().find(|role| role.arn() == arn) {
            return Some(json!([role.described(), role.attached, role.inline]));
        }
        let profile = self.profiles.values().find(|profile| profile.arn() == arn)?;
        Some(profile.described(self))
    }

    /// What a customer makes.
    pub(crate) fn made(&self) -> impl Iterator<Item = Made<'_>> {
        let roles = self.roles.values().map(|role| Made { id: role.arn(), tags: Tags::Texts(&role.tags) });
        roles.chain(self.profiles.values().map(Profile::made))
    }

    /// Lets a role be there from the beginning.
    pub(crate) fn provide(&mut self, arn: &str, service: &str, now: Timestamp) {
        let name = arn.rsplit('/').next().unwrap_or(arn);
        let path = arn.split_once(":role").map_or("/", |(_, path)| path.strip_suffix(name).unwrap_or("/"));
        let principal = json!({ "Service": service });
        let statement = json!({ "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal });
        let trust = json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string();
        let value = json!({
            "Path": path,
            "RoleName": name,
            "RoleId": "AROA0000000000000000",
            "Arn": arn,
            "CreateDate": seconds(now),
            "AssumeRolePolicyDocument": encoded(&trust),
        });
        let value = value.as_object().cloned().unwrap_or_default();
        let (attached, inline) = (BTreeSet::new(), BTreeMap::new());
        self.roles.insert(name.to_owned(), Role { value, tags: BTreeMap::new(), attached, inline });
    }

    /// How many objects there are of each kind.
    pub(crate) fn inventory(&self) -> [(&'static str, usize); 2] {
        [("role", self.roles.len()), ("instance-profile", self.profiles.len())]
    }

    /// Whether a role exists that a service may take on.
    pub(crate) fn trusts(&self, arn: &str, service: &str) -> bool {
        let role = self.roles.values().find(|role| role.value["Arn"] == *arn);
        role.and_then(|role| role.value["AssumeRolePolicyDocument"].as_str()).is_some_and(|document| {
            let decoded = percent_encoding::percent_decode_str(document).decode_utf8_lossy();
            let document: Value = serde_json::from_str(&decoded).unwrap_or_default();
            list(&document["Statement"]).iter().any(|statement| {
                statement["Effect"] == "Allow" && list(&statement["Principal"]["Service"]).contains(&json!(service))
            })
        })
    }

    fn role(&mut self, name: &str) -> Result<&mut Role, ApiError> {
        self.roles
            .get_mut(name)
            .ok_or_else(|| ApiError::new("NoSuchEntity", format!("The role with name {name} cannot be found.")))
    }
}

fn create(iam: &mut Iam, parameters: &Value, chance: &mut Chance, now: Timestamp) -> Answer {
    let text = |name: &str| parameters.get(name).and_then(Value::as_str);
    let name = text("RoleName").unwrap_or_default();
    if iam.roles.keys().any(|existing| existing.eq_ignore_ascii_case(name)) {
        return Err(ApiError::new("EntityAlreadyExists", format!("Role with name {name} already exists.")));
    }
    let path = text("Path").unwrap_or("/");
    let trust = document(text("AssumeRolePolicyDocument").unwrap_or_default())?;
    let mut value = json!({
        "Path": path,
        "RoleName": name,
        "RoleId": format!("AROA{}", chance.letters(16).to_uppercase()),
        "Arn": format!("arn:aws:iam::{ACCOUNT_ID}:role{path}{name}"),
        "CreateDate": seconds(now),
        "AssumeRolePolicyDocument": trust,
        "MaxSessionDuration": parameters.get("MaxSessionDuration").cloned().unwrap_or_else(|| json!(3600)),
    });
    if let Some(description) = text("Description") {
        value["Description"] = json!(description);
    }
    if let Some(boundary) = text("PermissionsBoundary") {
        value["PermissionsBoundary"] =
            json!({ "PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": boundary });
    }
    let Value::Object(value) = value else { return Err(ApiError::internal("a role is an object")) };
    let (attached, inline) = (BTreeSet::new(), BTreeMap::new());
    let role = Role { value, tags: tags(&parameters["Tags"])?, attached, inline };
    let described = role.described();
    iam.roles.insert(name.to_owned(), role);
    Ok(json!({ "Role": described }))
}

/// A document as IAM gives it back: with all but unreserved letters encoded (RFC 3986).
fn document(text: &str) -> Result<String, ApiError> {
    check_json(text)?;
    Ok(encoded(text))
}

fn check_json(text: &str) -> Result<(), ApiError> {
    match serde_json::from_str::<Value>(text) {
        Ok(Value::Object(document)) if document.contains_key("Statement") => Ok(()),
        Ok(_) => Err(ApiError::new("MalformedPolicyDocument", "Syntax errors in policy.")),
        Err(error) => {
            Err(ApiError::new("MalformedPolicyDocument", format!("This policy contains invalid Json: {error}")))
        }
    }
}

fn encoded(text: &str) -> String {
    use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
    const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Whether a policy can be attached: one of AWS, by its place; those of customers are not emulated.
fn is_managed(arn: &str) -> bool {
    arn.starts_with("arn:aws:iam::aws:policy/") && !arn.ends_with('/')
}

/// The items of a part of a policy, which may stand there alone.
fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_else(|| vec![value.clone()])
}

fn no_policy(name: &str) -> ApiError {
    ApiError::new("NoSuchEntity", format!("The role policy with name {name} cannot be found."))
}

fn tags(list: &Value) -> Result<BTreeMap<String, String>, ApiError> {
    let mut tags = BTreeMap::new();
    for tag in list.as_array().into_iter().flatten() {
        let (key, value) = (tag["Key"].as_str().unwrap_or_default(), tag["Value"].as_str().unwrap_or_default());
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            let message = format!("Duplicate tag keys found: {key}");
            return Err(ApiError::new("InvalidInput", message));
        }
    }
    Ok(tags)
}

/// The part of a list after the marker of the call.
fn page(parameters: &Value, list: &str, items: &[Value]) -> Answer {
    let start = match parameters.get("Marker").and_then(Value::as_str) {
        Some(marker) => marker.parse().map_err(|_| ApiError::new("ValidationError", "Invalid Marker."))?,
        None => 0_usize,
    };
    let size = parameters.get("MaxItems").and_then(Value::as_u64).and_then(|size| usize::try_from(size).ok());
    let end = items.len().min(start.saturating_add(size.unwrap_or(100)));
    let mut answer = json!({ list: items.get(start..end).unwrap_or_default(), "IsTruncated": end < items.len() });
    if end < items.len() {
        answer["Marker"] = json!(end.to_string());
    }
    Ok(answer)
}
