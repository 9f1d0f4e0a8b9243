//! The API of a Kubernetes cluster by itself: no cloud around it, no controllers in it.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method, Response, Uri};
use jiff::Timestamp;

use crate::account::Chance;
use crate::kubernetes::cloud::{Cloud, Group, Machine};
use crate::kubernetes::{self, Kubernetes, Request, User, Watch};
use crate::server::TlsListener;

/// The version of Kubernetes that it says it is.
const VERSION: &str = "1.34";

/// An API server to which only whoever asks it gives anything to do. Clones are the same one.
#[derive(Clone)]
pub struct ApiServer {
    state: Arc<Mutex<ServerState>>,
}

struct ServerState {
    kubernetes: Kubernetes,
    cloud: NoCloud,
    /// Users by their tokens.
    users: BTreeMap<String, String>,
    writes: Vec<Write>,
}

/// A request that was to change something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Who sent it.
    pub user: String,
    /// As a role names it: `patch`.
    pub verb: String,
    /// Where, without the query.
    pub path: String,
    /// How it was answered.
    pub status: u16,
}

impl ApiServer {
    /// An empty cluster, of which these users may do everything: tokens and names.
    pub fn new(users: BTreeMap<String, String>) -> Self {
        let kubernetes = Kubernetes::without_controllers("00000000-0000-4000-8000".to_owned(), Timestamp::now());
        let state = ServerState { kubernetes, cloud: NoCloud(Chance::new(0)), users, writes: Vec::new() };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// What was to change something so far, in the order in which it came.
    pub fn writes(&self) -> Vec<Write> {
        self.lock().writes.clone()
    }

    /// Answers whoever connects to a free port of `address`, until it is dropped. `listening` is told the URL and the certificate of
    /// who signed for it, as PEM.
    ///
    /// # Errors
    ///
    /// When no port can be had, or no connection be accepted any more.
    pub async fn serve(self, address: IpAddr, listening: impl FnOnce(String, String)) -> io::Result<()> {
        let listener = TlsListener::bind(address).await?;
        listening(format!("https://{}", listener.address()), listener.authority.clone());
        axum::serve(listener, Router::new().fallback(reply).with_state(self)).await
    }

    fn lock(&self) -> MutexGuard<'_, ServerState> {
        // What a request has changed when it fails is as it would be, so there is nothing to make whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Response<Body> {
        let now = Timestamp::now();
        let mut state = self.lock();
        let ServerState { kubernetes, cloud, users, writes } = &mut *state;
        let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let user = token.strip_prefix("Bearer ").and_then(|token| users.get(token));
        let mut request = Request::read(method, (uri.path(), uri.query()), headers, body, VERSION.to_owned());
        request.user = user.map(|name| User { name: name.clone(), is_administrator: true });
        let (call, mutates) = request.call();
        let answer = kubernetes.answer(&request, now, cloud);
        if mutates {
            let verb = call.split_once('/').map_or(call.as_str(), |(verb, _)| verb);
            writes.push(Write {
                user: user.cloned().unwrap_or_default(),
                verb: verb.to_owned(),
                path: uri.path().to_owned(),
                status: answer.code,
            });
        }
        let server = self.clone();
        answer.written(now, |watch| kubernetes::stream(watch, move |watch| server.follow(watch)))
    }

    fn follow(&self, watch: &mut Watch) -> Option<Vec<serde_json::Value>> {
        let mut state = self.lock();
        let ServerState { kubernetes, cloud, .. } = &mut *state;
        kubernetes.follow(watch, Timestamp::now(), cloud)
    }
}

async fn reply(
    State(server): State<ApiServer>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    server.answer(&method, &uri, &headers, &body)
}

/// Nothing is around the cluster.
struct NoCloud(Chance);

impl Cloud for NoCloud {
    fn machines(&self) -> Vec<Machine> {
        Vec::new()
    }

    fn groups(&self, _tags: &[&str]) -> Vec<Group> {
        Vec::new()
    }

    fn resize(&mut self, _group: &str, _desired: u64, _now: Timestamp) {}

    fn terminate(&mut self, _machine: &str) {}

    fn has_role(&self, _namespace: &str, _service_account: &str) -> bool {
        false
    }

    fn chance(&mut self) -> &mut Chance {
        &mut self.0
    }
}
