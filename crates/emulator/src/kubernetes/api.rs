//! The requests that the API understands.
//!
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/>

use std::collections::{BTreeMap, BTreeSet};

use axum::http::header::{CONTENT_TYPE, USER_AGENT};
use axum::http::{HeaderMap, Method};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::kubernetes::cloud::Cloud;
use crate::kubernetes::resources::{self, RESOURCES, Resource};
use crate::kubernetes::selection::Selection;
use crate::kubernetes::status::{self, Refusal};
use crate::kubernetes::store::{Key, Operation, Writer, seconds};
use crate::kubernetes::watch::Watch;
use crate::kubernetes::{Kubernetes, autoscaler, controllers, fields};

/// A request, its path without that of the cluster.
#[derive(Debug, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) content_type: String,
    pub(crate) body: Vec<u8>,
    pub(crate) user_agent: String,
    /// Who asks; nobody when the token is none.
    pub(crate) user: Option<User>,
    /// The version of Kubernetes, for example `1.34`.
    pub(crate) version: String,
}

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) is_administrator: bool,
}

/// An answer.
pub(crate) struct Response {
    pub(crate) code: u16,
    pub(crate) body: Body,
}

/// What an answer says.
pub(crate) enum Body {
    Json(Value),
    Text(&'static str),
    /// What happens from now on.
    Watch(Box<Watch>),
}

/// The form of a server-side apply.
const APPLY: &str = "application/apply-patch+yaml";

/// Verbs as roles name them, with the methods that they stand for.
const VERBS: [(&str, &str); 5] =
    [("create", "POST"), ("delete", "DELETE"), ("get", "GET"), ("patch", "PATCH"), ("update", "PUT")];

impl Request {
    /// Reads a request for `path`, of nobody yet.
    pub(crate) fn read(
        method: &Method,
        (path, query): (&str, Option<&str>),
        headers: &HeaderMap,
        body: &[u8],
        version: String,
    ) -> Self {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        Self {
            method: method.to_string(),
            path: path.to_owned(),
            query: url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect(),
            content_type: header(CONTENT_TYPE),
            body: body.to_vec(),
            user_agent: header(USER_AGENT),
            user: None,
            version,
        }
    }

    fn is_watch(&self) -> bool {
        is_set(self, "watch")
    }

    /// What a role would call it (`patch/deployments.apps`), and whether it changes anything.
    pub(crate) fn call(&self) -> (String, bool) {
        let place = place(&self.path);
        let verb = match &place {
            Some(place) if self.method == "GET" && place.name.is_none() => {
                if self.is_watch() {
                    "watch"
                } else {
                    "list"
                }
            }
            _ => VERBS.iter().find(|(_, method)| *method == self.method).map_or("get", |(verb, _)| verb),
        };
        let what =
            place.map_or_else(|| self.path.trim_start_matches('/').to_owned(), |place| place.resource.id.clone());
        (format!("{verb}/{what}"), self.method != "GET")
    }
}

/// Whether the call of this name changes something; when there is none, what there is.
pub(crate) fn check_call(name: &str) -> Result<bool, String> {
    let verbs = || VERBS.iter().map(|(verb, _)| *verb).chain(["list", "watch"]);
    let is_known = name.split_once('/').is_some_and(|(verb, resource)| {
        verbs().any(|known| known == verb) && RESOURCES.iter().any(|known| known.id == resource)
    });
    let resources = RESOURCES.iter().map(|resource| resource.id.as_str()).collect::<Vec<_>>().join(", ");
    let verbs = verbs().collect::<Vec<_>>().join(", ");
    let mutates = !["get/", "list/", "watch/"].iter().any(|verb| name.starts_with(verb));
    if is_known { Ok(mutates) } else { Err(format!("one of {verbs}, a slash and one of {resources}")) }
}

impl Response {
    /// That the server cannot do it.
    pub(crate) fn failure(code: u16, reason: &'static str, message: &str) -> Self {
        Self { code, body: Body::Json(Refusal::new(code, reason, message).status()) }
    }

    /// As it is sent, with the server's own time. `follow` sends what happens from now on.
    pub(crate) fn written(
        self,
        now: Timestamp,
        follow: impl FnOnce(Watch) -> axum::body::Body,
    ) -> axum::http::Response<axum::body::Body> {
        let (kind, body) = match self.body {
            Body::Json(body) => ("application/json", body.to_string().into()),
            Body::Text(text) => ("text/plain", text.into()),
            Body::Watch(watch) => ("application/json", follow(*watch)),
        };
        let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
        let built = axum::http::Response::builder().status(self.code).header("content-type", kind).header("date", date);
        // Codes and headers are those of this module.
        built.body(body).expect("the answer has valid headers")
    }
}

/// What a path means.
struct Place {
    resource: &'static Resource,
    /// Empty for all of them, and for what has none.
    namespace: String,
    /// Absent for the collection.
    name: Option<String>,
    subresource: Option<String>,
}

pub(super) fn answer(cluster: &mut Kubernetes, request: &Request, now: Timestamp, cloud: &mut dyn Cloud) -> Response {
    let answered = respond(cluster, request, now, cloud);
    answered.unwrap_or_else(|refusal| Response { code: refusal.code, body: Body::Json(refusal.status()) })
}

fn ok(body: Value) -> Response {
    Response { code: 200, body: Body::Json(body) }
}

fn respond(
    cluster: &mut Kubernetes,
    request: &Request,
    now: Timestamp,
    cloud: &mut dyn Cloud,
) -> Result<Response, Refusal> {
    let Some(user) = &request.user else { return Err(Refusal::unauthorized()) };
    if let Some(found) = discovery(&request.path, &request.version) {
        return Ok(found);
    }
    let Some(place) = place(&request.path) else {
        return Ok(Response { code: 404, body: Body::Text("404 page not found\n") });
    };
    if !user.is_administrator {
        return Err(Refusal::forbidden(&user.name, &request.method.to_lowercase(), &place.resource.id));
    }
    // What is only tried must not happen.
    if request.query.contains_key("dryRun") {
        return Err(Refusal::bad_request("dryRun is not emulated"));
    }
    let answered = match (request.method.as_str(), &place.name, place.subresource.as_deref()) {
        ("GET", None, None) if request.is_watch() => watch(cluster, &place, request, now),
        ("GET", None, None) => list(cluster, &place, request, now, cloud),
        ("GET", Some(name), None | Some("status")) => get(cluster, &place, name, now, cloud),
        ("POST", None, None) => create(cluster, &place, request, now),
        ("POST", Some(name), Some("eviction")) if place.resource.id == "pods" => evict(cluster, &place, name),
        ("PUT", Some(name), Some("finalize")) if place.resource.id == "namespaces" => {
            finalize(cluster, &place, name, request)
        }
        ("PUT", Some(name), subresource) => replace(cluster, &place, name, subresource, request, now),
        ("PATCH", Some(name), subresource) => patch(cluster, &place, name, subresource, request, now),
        ("DELETE", Some(name), None) => delete(cluster, &place, name, request, now),
        _ => Err(Refusal::method_not_allowed()),
    };
    if let ("PUT" | "PATCH", Some(name)) = (request.method.as_str(), &place.name) {
        cluster.let_go(&place.key(name));
    }
    if request.method != "GET" {
        cluster.control(now, cloud);
    }
    answered
}

fn is_set(request: &Request, name: &str) -> bool {
    request.query.get(name).is_some_and(|value| matches!(value.as_str(), "true" | "1"))
}

/// What the API says of itself.
fn discovery(path: &str, version: &str) -> Option<Response> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let group_version = |group: &str, version: &str| {
        let name = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
        json!({ "groupVersion": name, "version": version })
    };
    let group = |name: &str| {
        let versions: BTreeSet<&str> =
            RESOURCES.iter().filter(|resource| resource.group == name).map(|resource| resource.version).collect();
        let versions: Vec<Value> = versions.into_iter().map(|version| group_version(name, version)).collect();
        let preferred = versions.first().cloned()?;
        Some(json!({ "name": name, "versions": versions, "preferredVersion": preferred }))
    };
    let found = match parts.as_slice() {
        ["readyz" | "livez" | "healthz"] => return Some(Response { code: 200, body: Body::Text("ok") }),
        ["version"] => {
            let minor = version.split('.').nth(1).unwrap_or_default();
            let git = format!("v{version}.0-eks-emulated");
            json!({
                "major": "1", "minor": minor, "gitVersion": git, "gitCommit": "", "gitTreeState": "clean", "buildDate": "",
                "goVersion": "", "compiler": "", "platform": "linux/amd64",
            })
        }
        ["api"] => json!({ "kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [] }),
        ["apis"] => {
            let names: BTreeSet<&str> =
                RESOURCES.iter().map(|resource| resource.group).filter(|group| !group.is_empty()).collect();
            let groups: Vec<Value> = names.into_iter().filter_map(group).collect();
            json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
        }
        ["apis", name] => {
            let mut found = group(name)?;
            found["kind"] = json!("APIGroup");
            found["apiVersion"] = json!("v1");
            found
        }
        ["api", version] => resource_list("", version)?,
        ["apis", group, version] => resource_list(group, version)?,
        _ => return None,
    };
    Some(ok(found))
}

fn resource_list(group: &str, version: &str) -> Option<Value> {
    let of_group = RESOURCES.iter().filter(|resource| (resource.group, resource.version) == (group, version));
    let verbs = ["create", "delete", "get", "list", "patch", "update", "watch"];
    let resources: Vec<Value> = of_group
        .map(|resource| {
            json!({
                "name": resource.plural, "singularName": resource.kind.to_lowercase(), "namespaced": resource.is_namespaced,
                "kind": resource.kind, "verbs": verbs,
            })
        })
        .collect();
    let name = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    (!resources.is_empty())
        .then(|| json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": name, "resources": resources }))
}

fn place(path: &str) -> Option<Place> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let (group, version, rest) = match parts.as_slice() {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return None,
    };
    let (namespace, rest) = match rest {
        ["namespaces", namespace, plural, rest @ ..] if resources::at(group, version, plural).is_some() => {
            (*namespace, [&[*plural], rest].concat())
        }
        rest => ("", rest.to_vec()),
    };
    let (plural, rest) = rest.split_first()?;
    let resource = resources::at(group, version, plural)?;
    if rest.len() > 2 || (resource.is_namespaced && namespace.is_empty() && !rest.is_empty()) {
        return None;
    }
    let part = |index: usize| rest.get(index).map(|part| (*part).to_owned());
    Some(Place { resource, namespace: namespace.to_owned(), name: part(0), subresource: part(1) })
}

impl Place {
    fn key(&self, name: &str) -> Key {
        Key::new(&self.resource.id, &self.namespace, name)
    }
}

fn get(
    cluster: &Kubernetes,
    place: &Place,
    name: &str,
    now: Timestamp,
    cloud: &dyn Cloud,
) -> Result<Response, Refusal> {
    let key = place.key(name);
    let object = cluster.store.get(&key).ok_or_else(|| Refusal::not_found(place.resource, name))?;
    Ok(ok(autoscaler::shown(cluster, &key, object, now, cloud).unwrap_or_else(|| object.clone())))
}

fn list(
    cluster: &Kubernetes,
    place: &Place,
    request: &Request,
    now: Timestamp,
    cloud: &dyn Cloud,
) -> Result<Response, Refusal> {
    let text = |name: &str| request.query.get(name).map(String::as_str).unwrap_or_default();
    let selection = Selection::of(&place.namespace, &request.query)?;
    let after = match text("continue") {
        "" => None,
        token => Some(read_token(token).ok_or_else(|| Refusal::bad_request("continue key is not valid"))?),
    };
    let limit = match text("limit") {
        "" | "0" => usize::MAX,
        limit => limit.parse().map_err(|_| Refusal::bad_request("limit must be a number"))?,
    };
    let is_after =
        |key: &Key| after.as_ref().is_none_or(|(namespace, name)| (&key.namespace, &key.name) > (namespace, name));
    let is_wanted = |(key, object): &(&Key, &Value)| is_after(key) && selection.takes(key, object);
    let mut found = cluster.store.all(&place.resource.id).filter(is_wanted);
    let page: Vec<(&Key, &Value)> = found.by_ref().take(limit).collect();
    let mut metadata = json!({ "resourceVersion": cluster.store.revision().to_string() });
    let remaining = found.count();
    if let Some((last, _)) = page.last().filter(|_| remaining > 0) {
        metadata["continue"] = json!(URL_SAFE_NO_PAD.encode(format!("{}/{}", last.namespace, last.name)));
        metadata["remainingItemCount"] = json!(remaining);
    }
    let items: Vec<Value> = page
        .into_iter()
        .map(|(key, object)| {
            let mut item = autoscaler::shown(cluster, key, object, now, cloud).unwrap_or_else(|| object.clone());
            // The list says what its items are.
            if let Value::Object(item) = &mut item {
                item.retain(|member, _| member != "apiVersion" && member != "kind");
            }
            item
        })
        .collect();
    let kind = format!("{}List", place.resource.kind);
    Ok(ok(json!({ "kind": kind, "apiVersion": place.resource.api_version(), "metadata": metadata, "items": items })))
}

fn watch(cluster: &Kubernetes, place: &Place, request: &Request, now: Timestamp) -> Result<Response, Refusal> {
    let selection = Selection::of(&place.namespace, &request.query)?;
    let watch = Watch::begin(cluster, place.resource, selection, &request.query, now)?;
    Ok(Response { code: 200, body: Body::Watch(Box::new(watch)) })
}

fn read_token(token: &str) -> Option<(String, String)> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (namespace, name) = text.split_once('/')?;
    Some((namespace.to_owned(), name.to_owned()))
}

/// The object of a request, checked against its kind and its path.
fn read_body(place: &Place, request: &Request, name: Option<&str>) -> Result<Value, Refusal> {
    let is_apply = request.content_type.starts_with(APPLY);
    if !is_apply && !request.content_type.starts_with("application/json") {
        return Err(Refusal::unsupported_media(&request.content_type));
    }
    let read: Result<Value, String> = if is_apply {
        serde_saphyr::from_slice(&request.body).map_err(|error| error.to_string())
    } else {
        serde_json::from_slice(&request.body).map_err(|error| error.to_string())
    };
    let mut object = read.map_err(|why| Refusal::bad_request(format!("the body cannot be read: {why}")))?;
    let resource = place.resource;
    for (member, expected) in [("apiVersion", resource.api_version()), ("kind", resource.kind.to_owned())] {
        match object.get(member) {
            Some(given) if *given != *expected => {
                return Err(Refusal::bad_request(format!("the {member} of the object is {given}, not \"{expected}\"")));
            }
            _ => object[member] = json!(expected),
        }
    }
    let checked = (resource.check)(&object);
    if is_apply {
        // Whatever the schema does not know is refused, and not as a mistake of whoever asks.
        let why = match &checked {
            Ok(unknown) => unknown.first().map(|field| format!(".{field}: field not declared in schema")),
            Err(why) => Some(why.clone()),
        };
        if let Some(why) = why {
            return Err(Refusal::untyped(resource, object["metadata"]["name"].as_str().unwrap_or_default(), &why));
        }
    }
    let unknown = checked.map_err(Refusal::bad_request)?;
    if !unknown.is_empty() && request.query.get("fieldValidation").is_some_and(|level| level == "Strict") {
        let fields: Vec<String> = unknown.iter().map(|field| format!("unknown field \"{field}\"")).collect();
        return Err(Refusal::bad_request(format!("strict decoding error: {}", fields.join(", "))));
    }
    let metadata = object["metadata"].as_object_mut();
    let metadata = metadata.ok_or_else(|| Refusal::bad_request("the object has no metadata"))?;
    for (member, expected) in
        [("name", name), ("namespace", Some(place.namespace.as_str()).filter(|own| !own.is_empty()))]
    {
        let Some(expected) = expected else { continue };
        match metadata.get(member) {
            Some(given) if *given != *expected => {
                let message =
                    format!("the {member} of the object ({given}) does not match that of the URL ({expected})");
                return Err(Refusal::bad_request(message));
            }
            _ => drop(metadata.insert(member.to_owned(), json!(expected))),
        }
    }
    Ok(object)
}

/// Refuses what would be made where nothing can be.
fn check_namespace(cluster: &Kubernetes, place: &Place) -> Result<(), Refusal> {
    if !place.resource.is_namespaced {
        return Ok(());
    }
    let found = cluster.store.get(&Key::new("namespaces", "", &place.namespace));
    let missing = || {
        let namespaces = resources::resource("namespaces").expect("they are served");
        Refusal::not_found(namespaces, &place.namespace)
    };
    match found {
        None => Err(missing()),
        Some(namespace) if namespace["metadata"].get("deletionTimestamp").is_some() => {
            Err(Refusal::terminating(&place.namespace))
        }
        Some(_) => Ok(()),
    }
}

fn writer(request: &Request, operation: Operation) -> Writer {
    let manager = request.query.get("fieldManager").cloned();
    // Without a name it is what the user agent begins with.
    let usual = || request.user_agent.split('/').next().unwrap_or_default().to_owned();
    Writer { manager: manager.unwrap_or_else(usual), operation }
}

/// What the server itself adds to a new object.
fn complete(resource: &Resource, object: &mut Value) {
    match resource.id.as_str() {
        "namespaces" => {
            let name = object["metadata"]["name"].clone();
            object["metadata"]["labels"]["kubernetes.io/metadata.name"] = name;
            object["status"] = json!({ "phase": "Active" });
        }
        "pods" => object["status"] = json!({ "phase": "Pending" }),
        // The plugin `StorageObjectInUseProtection`.
        "persistentvolumeclaims" | "persistentvolumes" => {
            let protection = controllers::protection(resource.kind == "PersistentVolumeClaim");
            match object["metadata"]["finalizers"].as_array_mut() {
                Some(finalizers) if finalizers.iter().any(|own| own == protection) => {}
                Some(finalizers) => finalizers.push(json!(protection)),
                None => object["metadata"]["finalizers"] = json!([protection]),
            }
        }
        "apiservices.apiregistration.k8s.io" if object["spec"].get("service").is_none() => {
            let message = "Local APIServices are always available";
            let condition = json!({ "type": "Available", "status": "True", "reason": "Local", "message": message });
            object["status"] = json!({ "conditions": [condition] });
        }
        _ => {}
    }
}

fn create(cluster: &mut Kubernetes, place: &Place, request: &Request, now: Timestamp) -> Result<Response, Refusal> {
    let mut object = read_body(place, request, None)?;
    check_namespace(cluster, place)?;
    if let Some(prefix) =
        object["metadata"]["generateName"].as_str().filter(|_| object["metadata"].get("name").is_none())
    {
        object["metadata"]["name"] = json!(format!("{prefix}{:05x}", cluster.store.revision()));
    }
    let Some(name) = object["metadata"]["name"].as_str().map(str::to_owned) else {
        return Err(Refusal::invalid(
            place.resource,
            "",
            "metadata.name: Required value: name or generateName is required",
        ));
    };
    let key = place.key(&name);
    if cluster.store.get(&key).is_some() {
        return Err(Refusal::already_exists(place.resource, &name));
    }
    complete(place.resource, &mut object);
    let made = cluster.store.create(&key, object, writer(request, Operation::Update), now);
    Ok(Response { code: 201, body: Body::Json(made) })
}

/// Refuses to change another version than the one that was read.
fn check_version(place: &Place, name: &str, present: &Value, wanted: &Value) -> Result<(), Refusal> {
    match wanted["metadata"].get("resourceVersion") {
        Some(version) if *version != present["metadata"]["resourceVersion"] => {
            Err(Refusal::changed_meanwhile(place.resource, name))
        }
        _ => Ok(()),
    }
}

fn replace(
    cluster: &mut Kubernetes,
    place: &Place,
    name: &str,
    subresource: Option<&str>,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Refusal> {
    let mut object = read_body(place, request, Some(name))?;
    let key = place.key(name);
    let present = cluster.store.get(&key).ok_or_else(|| Refusal::not_found(place.resource, name))?;
    check_version(place, name, present, &object)?;
    // The state has a way of its own.
    if subresource == Some("status") {
        let status = object["status"].take();
        object = present.clone();
        object["status"] = status;
    } else if let Some(status) = present.get("status") {
        object["status"] = status.clone();
    }
    Ok(ok(cluster.store.replace(&key, object, writer(request, Operation::Update), now)))
}

fn patch(
    cluster: &mut Kubernetes,
    place: &Place,
    name: &str,
    subresource: Option<&str>,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Refusal> {
    let key = place.key(name);
    if request.content_type.starts_with(APPLY) && subresource.is_none() {
        return apply(cluster, place, name, request, now);
    }
    let present = cluster.store.get(&key).ok_or_else(|| Refusal::not_found(place.resource, name))?;
    let patch: Value = serde_json::from_slice(&request.body)
        .map_err(|error| Refusal::bad_request(format!("the body cannot be read: {error}")))?;
    check_version(place, name, present, &patch)?;
    let mut object = present.clone();
    match request.content_type.split(';').next().unwrap_or_default() {
        "application/merge-patch+json" => merge_patch(&mut object, &patch),
        "application/strategic-merge-patch+json" => {
            drop_nulls(&mut object, &patch);
            fields::merge("", &mut object, &without_nulls(&patch));
        }
        other => return Err(Refusal::unsupported_media(other)),
    }
    let unknown = (place.resource.check)(&object).map_err(|why| Refusal::invalid(place.resource, name, &why))?;
    if !unknown.is_empty() && request.query.get("fieldValidation").is_some_and(|level| level == "Strict") {
        return Err(Refusal::bad_request(format!("strict decoding error: unknown field \"{}\"", unknown[0])));
    }
    Ok(ok(cluster.store.replace(&key, object, writer(request, Operation::Update), now)))
}

/// RFC 7386.
fn merge_patch(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        target.clone_from(patch);
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge_patch(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

/// Takes out what a patch sets to nothing.
fn drop_nulls(target: &mut Value, patch: &Value) {
    let (Value::Object(target), Value::Object(patch)) = (target, patch) else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else if let Some(inner) = target.get_mut(key) {
            drop_nulls(inner, value);
        }
    }
}

fn without_nulls(patch: &Value) -> Value {
    match patch {
        Value::Object(map) => {
            let kept = map.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(key, value)| (key.clone(), without_nulls(value))).collect())
        }
        other => other.clone(),
    }
}

fn apply(
    cluster: &mut Kubernetes,
    place: &Place,
    name: &str,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Refusal> {
    let mut object = read_body(place, request, Some(name))?;
    let Some(manager) = request.query.get("fieldManager") else {
        return Err(Refusal::no_manager());
    };
    let key = place.key(name);
    let present = cluster.store.get(&key);
    match present {
        Some(present) => check_version(place, name, present, &object)?,
        None => check_namespace(cluster, place)?,
    }
    let is_new = present.is_none();
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.remove("resourceVersion");
    }
    let made = cluster.store.apply(&key, &object, manager, is_set(request, "force"), now)?;
    if is_new {
        cluster.store.control(&key, |object| complete(place.resource, object));
    }
    let made = cluster.store.get(&key).cloned().unwrap_or(made);
    Ok(Response { code: if is_new { 201 } else { 200 }, body: Body::Json(made) })
}

/// Lets go of a namespace, which ends when it is to go and nobody holds it.
fn finalize(cluster: &mut Kubernetes, place: &Place, name: &str, request: &Request) -> Result<Response, Refusal> {
    let object = read_body(place, request, Some(name))?;
    let key = place.key(name);
    let present = cluster.store.get(&key).ok_or_else(|| Refusal::not_found(place.resource, name))?.clone();
    let is_held = object["spec"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty());
    if !is_held && present["metadata"].get("deletionTimestamp").is_some() {
        cluster.store.remove(&key);
    }
    Ok(ok(present))
}

fn evict(cluster: &mut Kubernetes, place: &Place, name: &str) -> Result<Response, Refusal> {
    let key = place.key(name);
    if cluster.store.get(&key).is_none() {
        return Err(Refusal::not_found(place.resource, name));
    }
    cluster.delete(&key);
    Ok(Response { code: 201, body: Body::Json(json!({ "kind": "Status", "apiVersion": "v1", "status": "Success" })) })
}

fn delete(
    cluster: &mut Kubernetes,
    place: &Place,
    name: &str,
    request: &Request,
    now: Timestamp,
) -> Result<Response, Refusal> {
    let key = place.key(name);
    let present = cluster.store.get(&key).ok_or_else(|| Refusal::not_found(place.resource, name))?.clone();
    let options: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let uid = &present["metadata"]["uid"];
    if let Some(wanted) = options["preconditions"].get("uid").filter(|wanted| *wanted != uid) {
        let texts = (wanted.as_str().unwrap_or_default(), uid.as_str().unwrap_or_default());
        return Err(Refusal::another_uid(place.resource, name, texts.0, texts.1));
    }
    if place.resource.id == "namespaces" {
        if present["metadata"].get("deletionTimestamp").is_none() {
            cluster.end_namespace(&key, now);
        }
        return Ok(ok(cluster.store.get(&key).cloned().unwrap_or(present)));
    }
    let holds = present["metadata"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty());
    if holds {
        cluster.store.control(&key, |object| object["metadata"]["deletionTimestamp"] = json!(seconds(now)));
        return Ok(ok(cluster.store.get(&key).cloned().unwrap_or(present)));
    }
    cluster.delete(&key);
    Ok(ok(status::deleted(place.resource, name, uid)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_collections_objects_and_their_parts() {
        let found = |path: &str| {
            place(path).map(|place| (place.resource.id.clone(), place.namespace, place.name, place.subresource))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(found("/api/v1/namespaces/a"), Some(("namespaces".into(), String::new(), some("a"), None)));
        assert_eq!(found("/api/v1/namespaces/a/pods"), Some(("pods".into(), "a".into(), None, None)));
        assert_eq!(found("/api/v1/pods"), Some(("pods".into(), String::new(), None, None)));
        assert_eq!(
            found("/apis/apps/v1/namespaces/a/deployments/b/status"),
            Some(("deployments.apps".into(), "a".into(), some("b"), some("status")))
        );
        assert_eq!(found("/apis/gateway.networking.k8s.io/v1/gateways"), None);
        assert_eq!(found("/api/v1/pods/b"), None);
    }
}
