//! Answers, in the protocol of their service.

use axum::body::Body;
use axum::http::header::{HeaderName, HeaderValue};
use axum::http::{Response, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use regex::Regex;
use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::faults::PAGE_TOKENS;
use crate::model::{Location, Operation, Protocol, Reference, SERVICES, Service, ShapeKind};
use crate::wire::xml::Element;
use crate::wire::{Misunderstood, Request};

/// In which words an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Words {
    /// Those of the model.
    OfTheModel,
    /// Some besides that no model knows, as a service may say them that is newer than its client.
    Unfamiliar,
}

impl Words {
    fn in_json(self, mut body: Value) -> Value {
        if self == Self::Unfamiliar
            && let Value::Object(members) = &mut body
        {
            for inner in members.values_mut().filter_map(Value::as_object_mut) {
                inner.insert("somethingNew".to_owned(), json!({ "of": ["any", 1, true, null] }));
                if let Some(status) = inner.get_mut("status").filter(|status| status.is_string()) {
                    *status = json!("SOMETHING_NEW");
                }
            }
            members.insert("somethingNew".to_owned(), json!(["of", "any", "kind"]));
        }
        body
    }

    /// Adds a member to every structure in a list, and changes the states.
    fn in_xml(self, document: &str) -> String {
        if self == Self::OfTheModel {
            return document.to_owned();
        }
        let mut document = document.to_owned();
        for list in ["item", "member"] {
            // A list of texts has nothing to add to.
            let added = format!("<{list}><somethingNew><of>any</of></somethingNew><");
            document = document.replace(&format!("<{list}><"), &added);
        }
        let state = Regex::new("<state>[a-z-]+</state>").expect("the pattern is part of the program");
        state.replace_all(&document, "<state>something-new</state>").into_owned()
    }
}

/// The answer as a page with nothing on it, after which the rest follows. An answer to somebody who goes on reading stays as it is.
pub(crate) fn empty_page(request: &Request, mut value: Value) -> Value {
    let goes_on = PAGE_TOKENS.iter().any(|token| request.parameters.get(*token).is_some());
    let output = request.operation.output.as_ref().map(|output| &request.model().shape(output).kind);
    let Some(ShapeKind::Structure { members, .. }) = output.filter(|_| !goes_on) else { return value };
    let token = PAGE_TOKENS.into_iter().find(|token| members.contains_key(*token));
    if let (Some(token), Value::Object(answered)) = (token, &mut value) {
        for list in answered.values_mut().filter_map(Value::as_array_mut) {
            list.clear();
        }
        // As each service of this emulator writes where a page begins.
        let first = match request.service {
            "autoscaling" | "iam" => "0".to_owned(),
            _ => STANDARD.encode("0"),
        };
        answered.insert(token.to_owned(), json!(first));
        if members.contains_key("IsTruncated") {
            answered.insert("IsTruncated".to_owned(), json!(true));
        }
    }
    value
}

/// Writes what an operation answers.
pub(crate) fn answer(
    model: &Service,
    operation: &Operation,
    value: &Value,
    request_id: &str,
    words: Words,
) -> Result<Response<Body>, ApiError> {
    let output = operation.output.as_ref();
    match model.metadata.protocol {
        Protocol::Json | Protocol::RestJson => {
            let body = output.map_or(Ok(json!({})), |output| json(model, output, value, &operation.name))?;
            let version = model.metadata.json_version.as_deref().unwrap_or("1.1");
            let content_type = match model.metadata.protocol {
                Protocol::Json => format!("application/x-amz-json-{version}"),
                _ => "application/json".to_owned(),
            };
            Ok(respond(StatusCode::OK, &content_type, words.in_json(body).to_string(), request_id, None))
        }
        Protocol::Ec2 => {
            let mut root = root(model, &format!("{}Response", operation.name));
            root.leaf("requestId", request_id);
            if let Some(output) = output {
                write(model, output, value, &mut root, &operation.name)?;
            }
            Ok(respond(StatusCode::OK, "text/xml;charset=UTF-8", words.in_xml(&root.document()), request_id, None))
        }
        Protocol::Query => {
            let mut root = root(model, &format!("{}Response", operation.name));
            if let Some(output) = output {
                let wrapper = output.result_wrapper.clone().unwrap_or_else(|| format!("{}Result", operation.name));
                let mut result = Element::new(wrapper);
                write(model, output, value, &mut result, &operation.name)?;
                root.push(result);
            }
            let mut metadata = Element::new("ResponseMetadata");
            metadata.leaf("RequestId", request_id);
            root.push(metadata);
            Ok(respond(StatusCode::OK, "text/xml", words.in_xml(&root.document()), request_id, None))
        }
        Protocol::RestXml => rest_xml(model, operation, value, request_id),
    }
}

/// Writes an answer whose members stand in headers, but for one that may be its body.
fn rest_xml(
    model: &Service,
    operation: &Operation,
    value: &Value,
    request_id: &str,
) -> Result<Response<Body>, ApiError> {
    let Some(output) = &operation.output else { return Ok(in_s3(Response::new(Body::empty()), request_id)) };
    let ShapeKind::Structure { members, payload, .. } = &model.shape(output).kind else {
        return Err(ApiError::internal(format!("{}: not a structure", operation.name)));
    };
    let mut response = Response::new(Body::empty());
    for (name, part) in value.as_object().into_iter().flatten() {
        let path = format!("{}.{name}", operation.name);
        let member = members.get(name).ok_or_else(|| no_place(&path))?;
        let kind = &model.shape(member).kind;
        if payload.as_ref() == Some(name) {
            let bytes = STANDARD.decode(text(kind, part, &path)?);
            *response.body_mut() = Body::from(bytes.map_err(|error| ApiError::internal(format!("{path}: {error}")))?);
            continue;
        }
        let written = member.location_name.as_ref().unwrap_or(name);
        let header = HeaderName::try_from(written).ok().filter(|_| member.location == Some(Location::Header));
        let text = match (kind, part.as_f64()) {
            (ShapeKind::Timestamp, Some(seconds)) => http_date(seconds, &path)?,
            _ => text(kind, part, &path)?,
        };
        let (Some(header), Ok(text)) = (header, HeaderValue::try_from(text)) else { return Err(no_place(&path)) };
        response.headers_mut().insert(header, text);
    }
    Ok(in_s3(response, request_id))
}

/// A point in time as headers say it.
fn http_date(seconds: f64, path: &str) -> Result<String, ApiError> {
    let failed = |error| ApiError::internal(format!("{path}: {error}"));
    let moment = jiff::Timestamp::from_duration(jiff::SignedDuration::from_secs_f64(seconds)).map_err(failed)?;
    jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&moment).map_err(failed)
}

/// S3 names the number of a request otherwise than the others.
fn in_s3(mut response: Response<Body>, request_id: &str) -> Response<Body> {
    if let Ok(id) = HeaderValue::try_from(request_id) {
        response.headers_mut().insert("x-amz-request-id", id);
    }
    response
}

/// Writes why a request is not carried out.
pub(crate) fn failure(failed: &Misunderstood, request_id: &str) -> Response<Body> {
    let error = &failed.error;
    let Some(model) = failed.service.map(|service| &SERVICES[service]) else {
        let body = json!({ "__type": error.code, "message": error.message }).to_string();
        return respond(status(error, None), "application/json", body, request_id, Some(&error.code));
    };
    let shape = failed.operation.and_then(|operation| model.error(operation, &error.code));
    let status = status(error, shape.and_then(|shape| shape.error.as_ref()?.http_status_code));
    match model.metadata.protocol {
        Protocol::Json | Protocol::RestJson => {
            let body = json!({ "__type": error.code, "message": error.message }).to_string();
            respond(status, "application/json", body, request_id, Some(&error.code))
        }
        Protocol::Ec2 => {
            let mut inner = Element::new("Error");
            inner.leaf("Code", &error.code);
            inner.leaf("Message", &error.message);
            let mut errors = Element::new("Errors");
            errors.push(inner);
            let mut root = Element::new("Response");
            root.push(errors);
            root.leaf("RequestID", request_id);
            respond(status, "text/xml;charset=UTF-8", root.document(), request_id, None)
        }
        Protocol::Query => {
            let mut inner = Element::new("Error");
            inner.leaf("Type", if status.is_server_error() { "Receiver" } else { "Sender" });
            inner.leaf("Code", &error.code);
            inner.leaf("Message", &error.message);
            let mut root = root(model, "ErrorResponse");
            root.push(inner);
            root.leaf("RequestId", request_id);
            respond(status, "text/xml", root.document(), request_id, None)
        }
        Protocol::RestXml => {
            let mut root = Element::new("Error");
            root.leaf("Code", &error.code);
            root.leaf("Message", &error.message);
            root.leaf("RequestId", request_id);
            in_s3(respond(status, "application/xml", root.document(), request_id, None), request_id)
        }
    }
}

fn status(error: &ApiError, of_model: Option<u16>) -> StatusCode {
    error.status.or(of_model).and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::BAD_REQUEST)
}

fn respond(
    status: StatusCode,
    content_type: &str,
    body: String,
    request_id: &str,
    error: Option<&str>,
) -> Response<Body> {
    let mut response =
        Response::builder().status(status).header("content-type", content_type).header("x-amzn-requestid", request_id);
    if let Some(code) = error {
        response = response.header("x-amzn-errortype", code);
    }
    // Every header value is a code or a content type of the models, which are plain ASCII.
    response.body(Body::from(body)).expect("the parts of an answer are valid")
}

fn root(model: &Service, name: &str) -> Element {
    let mut root = Element::new(name);
    if let Some(namespace) = &model.metadata.xml_namespace {
        root.attribute("xmlns", namespace);
    }
    root
}

/// Writes the members of a structure into `parent`.
fn write(
    model: &Service,
    reference: &Reference,
    value: &Value,
    parent: &mut Element,
    path: &str,
) -> Result<(), ApiError> {
    let ShapeKind::Structure { members, .. } = &model.shape(reference).kind else {
        return Err(ApiError::internal(format!("{path}: not a structure")));
    };
    let found = value.as_object().ok_or_else(|| ApiError::internal(format!("{path}: {value} is no structure")))?;
    for (name, part) in found {
        let path = format!("{path}.{name}");
        let member = members.get(name).ok_or_else(|| no_place(&path))?;
        if !part.is_null() {
            let written = member.location_name.as_deref().unwrap_or(name);
            parent.push(element(model, member, part, written, &path)?);
        }
    }
    Ok(())
}

fn element(model: &Service, reference: &Reference, value: &Value, name: &str, path: &str) -> Result<Element, ApiError> {
    let mut element = Element::new(name);
    match (&model.shape(reference).kind, value) {
        (ShapeKind::Structure { .. }, _) => write(model, reference, value, &mut element, path)?,
        (ShapeKind::List { member }, Value::Array(items)) => {
            let name = member.location_name.as_deref().unwrap_or("member");
            for item in items {
                element.push(self::element(model, member, item, name, path)?);
            }
        }
        (ShapeKind::Map { key, value: of_entry }, Value::Object(entries)) => {
            for (name, part) in entries {
                let mut entry = Element::new("entry");
                entry.leaf(key.location_name.as_deref().unwrap_or("key"), name);
                let written = of_entry.location_name.as_deref().unwrap_or("value");
                entry.push(self::element(model, of_entry, part, written, path)?);
                element.push(entry);
            }
        }
        (kind, _) => element.text(text(kind, value, path)?),
    }
    Ok(element)
}

fn text(kind: &ShapeKind, value: &Value, path: &str) -> Result<String, ApiError> {
    match (kind, value) {
        (ShapeKind::Timestamp, Value::Number(number)) => {
            let seconds = number.as_f64().unwrap_or_default();
            let moment = jiff::Timestamp::from_duration(jiff::SignedDuration::from_secs_f64(seconds));
            let moment = moment.map_err(|error| ApiError::internal(format!("{path}: {error}")))?;
            Ok(format!("{moment:.3}"))
        }
        (ShapeKind::String | ShapeKind::Blob, Value::String(text)) => Ok(text.clone()),
        (ShapeKind::Boolean, Value::Bool(_))
        | (ShapeKind::Integer | ShapeKind::Long | ShapeKind::Double | ShapeKind::Float, Value::Number(_)) => {
            Ok(value.to_string())
        }
        _ => Err(ApiError::internal(format!("{path}: {value} is not of the kind {kind:?}"))),
    }
}

/// Takes a value over by its shape, so that nothing is said that the API cannot say.
fn json(model: &Service, reference: &Reference, value: &Value, path: &str) -> Result<Value, ApiError> {
    match (&model.shape(reference).kind, value) {
        (ShapeKind::Structure { members, .. }, Value::Object(found)) => {
            let mut written = Map::new();
            for (name, part) in found {
                let path = format!("{path}.{name}");
                let member = members.get(name).ok_or_else(|| no_place(&path))?;
                if !part.is_null() {
                    let own = member.location_name.as_ref().unwrap_or(name);
                    written.insert(own.clone(), json(model, member, part, &path)?);
                }
            }
            Ok(Value::Object(written))
        }
        (ShapeKind::List { member }, Value::Array(items)) => {
            items.iter().map(|item| json(model, member, item, path)).collect()
        }
        (ShapeKind::Map { value: member, .. }, Value::Object(entries)) => {
            let entries = entries.iter().map(|(key, part)| Ok((key.clone(), json(model, member, part, path)?)));
            entries.collect::<Result<Map<_, _>, ApiError>>().map(Value::Object)
        }
        (ShapeKind::Timestamp, Value::Number(_)) => Ok(value.clone()),
        (kind, _) => text(kind, value, path).map(|_| value.clone()),
    }
}

fn no_place(path: &str) -> ApiError {
    ApiError::internal(format!("the model has no place for {path}"))
}
