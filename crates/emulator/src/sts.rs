//! AWS STS: who is calling.

use serde_json::json;

use crate::account::{ACCOUNT_ID, CALLER_ARN};
use crate::error::{Answer, ApiError};
use crate::wire::Request;

/// Carries out an operation.
pub(crate) fn call(request: &Request) -> Answer {
    match request.operation.name.as_str() {
        "GetCallerIdentity" => Ok(json!({
            "Account": ACCOUNT_ID,
            "Arn": CALLER_ARN,
            "UserId": request.access_key,
        })),
        other => Err(ApiError::internal(format!("{other} is not emulated"))),
    }
}
