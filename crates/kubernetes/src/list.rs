//! Reads of collections, page by page.

use howso_infra_core::ProviderError;
use kube::core::Request;
use kube::core::params::ListParams;
use serde_json::Value as Json;

use crate::errors::Call;
use crate::transport::Api;

/// How many objects come in one page.
const PAGE: u32 = 500;

/// More pages than this are no cluster of ours.
const PAGES_MAX: usize = 1_000;

/// How often a list is begun again because its continuation expired.
const RESTARTS_MAX: usize = 3;

/// How a page is asked for.
type Ask = fn(&Request, &ListParams) -> Result<http::Request<Vec<u8>>, kube::core::request::Error>;

/// All objects of a collection that have the labels of `selector`.
pub(crate) async fn all(
    api: &Api,
    call: &Call,
    path: &str,
    selector: Option<&str>,
) -> Result<Vec<Json>, ProviderError> {
    whole(api, call, path, selector, Request::list).await
}

/// Of all objects of a collection that have the labels of `selector`, only their metadata: the server sends nothing else.
pub(crate) async fn metadata(api: &Api, call: &Call, path: &str, selector: &str) -> Result<Vec<Json>, ProviderError> {
    whole(api, call, path, Some(selector), Request::list_metadata).await
}

async fn whole(
    api: &Api,
    call: &Call,
    path: &str,
    selector: Option<&str>,
    ask: Ask,
) -> Result<Vec<Json>, ProviderError> {
    let mut restarts = 0;
    loop {
        match pages(api, call, path, selector, ask).await {
            Err(error) if error.code.as_deref() == Some("Expired") && restarts < RESTARTS_MAX => restarts += 1,
            result => return result,
        }
    }
}

async fn pages(
    api: &Api,
    call: &Call,
    path: &str,
    selector: Option<&str>,
    ask: Ask,
) -> Result<Vec<Json>, ProviderError> {
    let mut items = Vec::new();
    let mut params = ListParams { limit: Some(PAGE), ..ListParams::default() };
    params.label_selector = selector.map(str::to_owned);
    let collection = Request::new(path);
    for _ in 0..PAGES_MAX {
        let request = ask(&collection, &params).map_err(|error| bug(call, &error))?;
        let mut answer = api.send(call, request).await?.body;
        if let Some(Json::Array(page)) = answer.get_mut("items").map(Json::take) {
            items.extend(page);
        }
        match answer.pointer("/metadata/continue").and_then(Json::as_str) {
            Some(next) if !next.is_empty() => params.continue_token = Some(next.to_owned()),
            Some(_) | None => return Ok(items),
        }
    }
    Err(bug(call, &format!("the list has more than {PAGES_MAX} pages")))
}

/// A request that cannot be made is a mistake of this program.
pub(crate) fn bug(call: &Call, why: &impl ToString) -> ProviderError {
    call.error(howso_infra_core::ErrorKind::Bug, why.to_string()).with_hint("please report it")
}

/// One object; [`None`] when it does not exist, nor its kind.
pub(crate) async fn one(api: &Api, call: &Call, path: &str) -> Result<Option<Json>, ProviderError> {
    let request = http::Request::get(path).body(Vec::new()).map_err(|error| bug(call, &error))?;
    match api.send(call, request).await {
        Ok(answer) => Ok(Some(answer.body)),
        Err(error) if error.kind == howso_infra_core::ErrorKind::Gone => Ok(None),
        Err(error) => Err(error),
    }
}
