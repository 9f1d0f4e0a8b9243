//! Whether the caller may do what it asks for: the policies that are attached to it, evaluated as IAM does.
//!
//! On which resources a call needs which permission is read from an excerpt of AWS's Service Authorization Reference
//! (`models/authorization.json`).

mod needs;
mod reference;
mod resources;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use iam_rs::{Arn, Context, Decision, IAMPolicy, IAMRequest, Principal, PrincipalId, evaluate_policies};

use crate::account::{CALLER_ARN, Region};
use crate::error::ApiError;
use crate::iam::Iam;
use crate::wire::Request;
use needs::Need;
use reference::REFERENCE;
pub(crate) use resources::Resource;

/// A policy of IAM, as its JSON document says it.
#[derive(Clone, Debug)]
pub struct PolicyDocument(IAMPolicy);

/// Why a text is no [`PolicyDocument`].
#[derive(Debug, thiserror::Error)]
#[error("not a policy of IAM: {0}")]
pub struct PolicyDocumentError(#[from] serde_json::Error);

impl FromStr for PolicyDocument {
    type Err = PolicyDocumentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(IAMPolicy::from_json(text)?))
    }
}

/// What the caller is allowed.
#[derive(Clone, Debug, Default)]
pub(crate) enum Permissions {
    /// Everything, as an administrator.
    #[default]
    Everything,
    /// What these policies allow.
    Policies(Vec<IAMPolicy>),
}

impl Permissions {
    pub(crate) fn of(policies: Vec<PolicyDocument>) -> Self {
        Self::Policies(policies.into_iter().map(|policy| policy.0).collect())
    }

    /// Whether `action` is allowed on everything and without conditions, which is what IAM's simulation says when it is told neither
    /// resources nor tags.
    pub(crate) fn allows_anywhere(&self, action: &str) -> Result<bool, ApiError> {
        let Self::Policies(policies) = self else { return Ok(true) };
        let (service, name) = action.split_once(':').unwrap_or((action, ""));
        is_met(&Need::of_call(service, name), policies)
    }

    /// Whether the caller may list the bucket of a request.
    pub(crate) fn allow_listing(&self, request: &Request) -> Result<bool, ApiError> {
        let Self::Policies(policies) = self else { return Ok(true) };
        let Some(bucket) = resources::in_s3(request, "bucket") else { return Ok(false) };
        let (action, keys) = ("s3:ListBucket".to_owned(), BTreeMap::new());
        is_met(&Need { action, arn: bucket.arn, keys }, policies)
    }

    /// # Errors
    ///
    /// What the service answers to a caller without the permission.
    pub(crate) fn check(&self, request: &Request, region: &Region, iam: &Iam) -> Result<(), ApiError> {
        let Self::Policies(policies) = self else { return Ok(()) };
        // AWS answers this whatever a policy says.
        if request.operation.name == "GetCallerIdentity" {
            return Ok(());
        }
        for need in needs::of(request, region, iam) {
            if !is_met(&need, policies)? {
                return Err(denied(request.service, &need));
            }
        }
        Ok(())
    }
}

/// The resources that a call names, of all types on which it asks for permissions.
pub(crate) fn named(request: &Request, region: &Region, iam: &Iam) -> Vec<Resource> {
    let service = REFERENCE.get(request.service);
    let types = service.and_then(|service| service.actions.get(request.operation.name.as_str()));
    let names = types.into_iter().flat_map(BTreeMap::keys);
    names.flat_map(|name| resources::named(request, region, iam, name)).collect()
}

fn is_met(need: &Need, policies: &[IAMPolicy]) -> Result<bool, ApiError> {
    let invalid = |error: &dyn fmt::Display| ApiError::internal(format!("{}: {error}", need.action));
    // AWS writes `*` for what has no name yet. Only patterns have wildcards: here it is one character like any other.
    let arn = Arn::parse(&need.arn.replace('*', "-")).map_err(|error| invalid(&error))?;
    let context = need.keys.iter().fold(Context::new(), |context, (key, value)| context.with_string(key, value));
    let principal = Principal::Aws(PrincipalId::String(CALLER_ARN.to_owned()));
    let request = IAMRequest::new_with_context(principal, need.action.as_str(), arn, context);
    let decision = evaluate_policies(policies, &request).map_err(|error| invalid(&error))?;
    Ok(decision == Decision::Allow)
}

/// The refusal in the words of the service.
fn denied(service: &str, need: &Need) -> ApiError {
    let Need { action, arn, .. } = need;
    let message = format!(
        "User: {CALLER_ARN} is not authorized to perform: {action} on resource: {arn} because no identity-based policy \
         allows the {action} action"
    );
    let code = match service {
        "ec2" => "UnauthorizedOperation",
        "eks" | "servicequotas" => "AccessDeniedException",
        _ => "AccessDenied",
    };
    ApiError::new(code, message).with_status(403)
}
