//! The wire protocols: requests become values by the names of the model, and values become answers.

mod check;
mod form;
mod json;
mod rest;
mod write;
mod xml;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Uri};
use serde_json::Value;

pub(crate) use json::seconds;
pub(crate) use write::{Words, answer, empty_page, failure};

use crate::error::ApiError;
use crate::model::{Operation, Protocol, SERVICES, Service};

/// A request that has been understood.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) service: &'static str,
    pub(crate) operation: &'static Operation,
    pub(crate) region: String,
    /// Whose access key signed it.
    pub(crate) access_key: String,
    /// The parameters by the names of the model; always an object.
    pub(crate) parameters: Value,
}

impl Request {
    pub(crate) fn model(&self) -> &'static Service {
        &SERVICES[self.service]
    }
}

/// A request that was not understood, and how its service tells errors.
#[derive(Debug)]
pub(crate) struct Misunderstood {
    pub(crate) service: Option<&'static str>,
    pub(crate) operation: Option<&'static Operation>,
    pub(crate) error: ApiError,
}

/// What the signature of a request says of it. It is not checked: the keys are made up.
struct Scope {
    access_key: String,
    region: String,
    service: &'static str,
}

/// Understands a request.
pub(crate) fn read(method: &Method, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Result<Request, Misunderstood> {
    let unknown = |error| Misunderstood { service: None, operation: None, error };
    let scope = scope(headers).map_err(unknown)?;
    let model = &SERVICES[scope.service];
    let of_service = |error| Misunderstood { service: Some(scope.service), operation: None, error };
    let (operation, parameters) = match model.metadata.protocol {
        Protocol::Ec2 | Protocol::Query => form::read(model, body).map_err(of_service)?,
        Protocol::Json => json::read(model, headers, body).map_err(of_service)?,
        Protocol::RestJson | Protocol::RestXml => {
            rest::read(model, method, uri, (headers, body)).map_err(of_service)?
        }
    };
    let of_operation = |error| Misunderstood { service: Some(scope.service), operation: Some(operation), error };
    let parameters = parameters.map_err(of_operation)?;
    if let Some(input) = &operation.input {
        check::check(model, model.shape(input), &parameters).map_err(of_operation)?;
    }
    let Scope { access_key, region, service } = scope;
    Ok(Request { service, operation, region, access_key, parameters })
}

/// Reads the scope of a signature: `Credential=KEY/DATE/REGION/SERVICE/aws4_request`.
fn scope(headers: &HeaderMap) -> Result<Scope, ApiError> {
    let missing = || ApiError::new("MissingAuthenticationToken", "Missing Authentication Token").with_status(403);
    let header = headers.get("authorization").and_then(|value| value.to_str().ok()).ok_or_else(missing)?;
    let (_, credential) = header.split_once("Credential=").ok_or_else(missing)?;
    let mut parts = credential.split([',', ' ']).next().unwrap_or_default().split('/');
    let (key, _date, region, service) = (parts.next(), parts.next(), parts.next(), parts.next());
    let (Some(key), Some(region), Some(service)) = (key, region, service) else { return Err(missing()) };
    let Some((service, _)) = SERVICES.get_key_value(service) else {
        return Err(ApiError::new("UnknownService", format!("no service `{service}` is emulated")).with_status(404));
    };
    Ok(Scope { access_key: key.to_owned(), region: region.to_owned(), service })
}
