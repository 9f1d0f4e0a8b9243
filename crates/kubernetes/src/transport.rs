//! Requests to the API server: one client, one deadline for each request, and a credential that is renewed.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use howso_infra_core::inside::{Connection, Connector, Credential};
use howso_infra_core::{ErrorKind, Ownership, ProviderError};
use http::{Request, header};
use http_body_util::{BodyExt, Limited};
use kube::client::Body;
use kube::config::{
    AuthInfo, Cluster, Context, KubeConfigOptions, Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value as Json;
use tokio::sync::Mutex;

use crate::errors::{CONNECTION_HINT, Call, Refusal};

/// How long before its end a credential is renewed: longer than a request may take.
const RENEWAL_MARGIN: Duration = Duration::from_mins(1);

/// The longest time to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// No answer is larger: lists come in pages.
const ANSWER_MAX: usize = 64 * 1024 * 1024;

/// The API of one cluster.
pub(crate) struct Api {
    connector: Arc<dyn Connector>,
    request_timeout: Duration,
    session: Mutex<Option<Session>>,
}

/// A connection that is in use.
#[derive(Clone)]
pub(crate) struct Session {
    client: kube::Client,
    /// Tells this session from one that replaced it.
    number: u64,
    ends: Option<Instant>,
    /// The API server's URL.
    pub(crate) server: String,
    /// Whose the cluster is.
    pub(crate) owner: Ownership,
}

/// What the API server answered.
pub(crate) struct Answer {
    pub(crate) body: Json,
    /// The server's own time, as it says it.
    pub(crate) date: Option<String>,
}

impl Api {
    pub(crate) fn new(connector: Arc<dyn Connector>, request_timeout: Duration) -> Self {
        Self { connector, request_timeout, session: Mutex::new(None) }
    }

    /// The connection to use now; [`None`] while no control plane can be used.
    pub(crate) async fn session(&self) -> Result<Option<Session>, ProviderError> {
        let mut held = self.session.lock().await;
        if let Some(session) = held.as_ref().filter(|session| session.is_fresh()) {
            return Ok(Some(session.clone()));
        }
        self.connect(&mut held).await
    }

    /// Replaces a connection whose credential was refused, unless that has happened meanwhile.
    async fn renewed(&self, refused: &Session) -> Result<Option<Session>, ProviderError> {
        let mut held = self.session.lock().await;
        match held.as_ref() {
            Some(session) if session.number != refused.number => Ok(Some(session.clone())),
            Some(_) | None => self.connect(&mut held).await,
        }
    }

    /// Forgets the connection, so that the next look asks whether the cluster is still there.
    pub(crate) async fn forget(&self) {
        *self.session.lock().await = None;
    }

    async fn connect(&self, held: &mut Option<Session>) -> Result<Option<Session>, ProviderError> {
        let number = held.take().map_or(0, |session| session.number + 1);
        let Some(connection) = self.connector.connect().await? else { return Ok(None) };
        *held = Some(open(connection, number, self.request_timeout).await?);
        Ok(held.clone())
    }

    /// Sends a request. A credential that is refused is renewed once: whoever is refused has had no effect.
    pub(crate) async fn send(&self, call: &Call, request: Request<Vec<u8>>) -> Result<Answer, ProviderError> {
        let Some(session) = self.session().await? else { return Err(gone(call)) };
        match self.send_once(call, &session, request.clone()).await {
            Err(error) if error.kind == ErrorKind::Auth => {
                let Some(session) = self.renewed(&session).await? else { return Err(gone(call)) };
                self.send_once(call, &session, request).await
            }
            result => result,
        }
    }

    async fn send_once(
        &self,
        call: &Call,
        session: &Session,
        request: Request<Vec<u8>>,
    ) -> Result<Answer, ProviderError> {
        let exchange = async {
            let answer = session.client.send(request.map(Body::from)).await.map_err(|error| failure(call, &error))?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, ANSWER_MAX).collect().await;
            let body = body.map_err(|error| call.unanswered(format!("the answer broke off: {error}")))?.to_bytes();
            if !head.status.is_success() {
                let seconds = head.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
                let refusal = Refusal::read(head.status.as_u16(), seconds.map(Duration::from_secs), &body);
                return Err(refusal.error(call));
            }
            let date = head.headers.get(header::DATE).and_then(|value| Some(value.to_str().ok()?.to_owned()));
            // Some paths answer with plain text (`/readyz`).
            let body = serde_json::from_slice(&body).unwrap_or_default();
            Ok(Answer { body, date })
        };
        let seconds = self.request_timeout.as_secs_f64();
        tokio::time::timeout(self.request_timeout, exchange)
            .await
            .unwrap_or_else(|_| Err(call.unanswered(format!("no answer within {seconds} s"))))
    }
}

impl Session {
    fn is_fresh(&self) -> bool {
        self.ends.is_none_or(|ends| Instant::now() < ends)
    }
}

/// Prepares a client. Sends no request.
async fn open(connection: Connection, number: u64, timeout: Duration) -> Result<Session, ProviderError> {
    let Connection { server, certificate_authority, owner, credential } = connection;
    let bad = |why: String| {
        ProviderError::new(ErrorKind::Bug, "kubernetes: connect", format!("the access to {server} is unusable: {why}"))
            .with_hint("please report it")
    };
    let mut ends = None;
    let user = match credential {
        Credential::Token { token, lifetime } => {
            ends = lifetime.map(|lifetime| Instant::now() + lifetime.saturating_sub(RENEWAL_MARGIN));
            AuthInfo { token: Some(same(&token)), ..AuthInfo::default() }
        }
        Credential::Certificate { certificate, key } => AuthInfo {
            client_certificate_data: Some(certificate),
            client_key_data: Some(same(&key)),
            ..AuthInfo::default()
        },
    };
    let cluster = Cluster {
        server: Some(server.clone()),
        certificate_authority_data: Some(certificate_authority),
        ..Cluster::default()
    };
    let options = KubeConfigOptions::default();
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig(cluster, user), &options)
        .await
        .map_err(|error| bad(error.to_string()))?;
    // The engine has the only retry policy, and a proxy of the environment would see the credential's owner, not the cluster.
    config.default_retry = false;
    config.proxy_url = None;
    config.connect_timeout = Some(CONNECT_TIMEOUT.min(timeout));
    let client = kube::Client::try_from(config).map_err(|error| bad(error.to_string()))?;
    Ok(Session { client, number, ends, server, owner })
}

fn same(secret: &SecretString) -> SecretString {
    SecretString::from(secret.expose_secret())
}

fn kubeconfig(cluster: Cluster, user: AuthInfo) -> Kubeconfig {
    let name = "cluster".to_owned();
    let context = Context { cluster: name.clone(), user: Some(name.clone()), ..Context::default() };
    Kubeconfig {
        clusters: vec![NamedCluster { name: name.clone(), cluster: Some(cluster), ..NamedCluster::default() }],
        auth_infos: vec![NamedAuthInfo { name: name.clone(), auth_info: Some(user), ..NamedAuthInfo::default() }],
        contexts: vec![NamedContext { name: name.clone(), context: Some(context), ..NamedContext::default() }],
        current_context: Some(name),
        ..Kubeconfig::default()
    }
}

/// The control plane went away between two requests.
fn gone(call: &Call) -> ProviderError {
    call.error(ErrorKind::Transient, "the control plane cannot be used at present")
        .with_hint("run the command again when it can")
}

/// A request that was not answered: without a connection it had no effect.
fn failure(call: &Call, error: &kube::Error) -> ProviderError {
    let mut causes = Vec::new();
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        causes.push(error);
        cause = error.source();
    }
    let is_before_sending = causes
        .iter()
        .filter_map(|error| error.downcast_ref::<hyper_util::client::legacy::Error>())
        .any(hyper_util::client::legacy::Error::is_connect);
    let innermost = causes.last().map(ToString::to_string).unwrap_or_default();
    if is_before_sending {
        let message = format!("no connection: {innermost}");
        call.error(ErrorKind::Transient, message).with_hint(CONNECTION_HINT)
    } else {
        call.unanswered(format!("the connection broke: {innermost}"))
    }
}
