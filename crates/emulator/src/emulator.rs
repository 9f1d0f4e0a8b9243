//! The emulated cloud, and its answers.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method, Response, Uri};
use axum::routing::get;
use jiff::{SignedDuration, Timestamp};
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::account::{Account, Chance, KubernetesServer};
use crate::authorization::{Permissions, PolicyDocument};
use crate::ec2::ExistingNetwork;
use crate::eks::inside;
use crate::error::{Answer, ApiError, ProvideError};
use crate::faults::{self, Call, Died, Fault, Faults, OUT_OF_DATE_SECS, PlannedFault};
use crate::invariants::{Invariants, Marks};
use crate::kubernetes::{self, Watch};
use crate::server::TlsListener;
use crate::transitions::Transition;
use crate::wire::{self, Misunderstood, Request, Words};
use crate::{autoscaling, ec2, eks, iam, quotas, s3, sts};

/// The path of the page that tells visitors their address, as <https://checkip.amazonaws.com> does.
pub const ADDRESS_PATH: &str = "/checkip";

/// An emulated AWS account. Clones are the same account.
#[derive(Clone)]
pub struct Emulator {
    time: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    account: Arc<Mutex<Account>>,
    faults: Arc<Mutex<Faults>>,
    death: Arc<Notify>,
    deadly: Arc<Mutex<Option<Fault>>>,
    invariants: Arc<Mutex<Invariants>>,
}

impl Emulator {
    /// An empty account in which `time` tells the time, which never goes back. The same seed gives the same names and durations.
    pub fn new(time: impl Fn() -> Timestamp + Send + Sync + 'static, seed: u64) -> Self {
        let account = Arc::new(Mutex::new(Account::new(seed)));
        Self {
            time: Arc::new(time),
            account,
            faults: Arc::new(Mutex::new(Faults::new(seed))),
            death: Arc::default(),
            deadly: Arc::default(),
            invariants: Arc::default(),
        }
    }

    /// Lets something go wrong.
    pub fn plan_fault(&self, planned: PlannedFault) {
        lock(&self.faults).plan(planned);
    }

    /// Lets nothing go wrong any more.
    pub fn forget_faults(&self) {
        lock(&self.faults).forget();
    }

    /// Waits until a fault lets the caller die, and says which: whatever the caller is doing is to be dropped as it is.
    pub async fn death(&self) -> Fault {
        self.death.notified().await;
        lock(&self.deadly).unwrap_or(Fault::DiesAfter)
    }

    /// From now on, the caller may do only what these policies allow. Until then it may do everything.
    pub fn allow_only(&self, policies: Vec<PolicyDocument>) {
        lock(&self.account).permissions = Permissions::of(policies);
    }

    /// Lets a network be there that somebody else has made.
    ///
    /// # Errors
    ///
    /// What EC2 says against it.
    pub fn provide_network(&self, region: &str, network: &ExistingNetwork) -> Result<(), ProvideError> {
        let (now, mut account) = ((self.time)(), lock(&self.account));
        // Drawn apart, so that what is made later gets the same names with and without it.
        let mut chance = Chance::new(0);
        let (region, ..) = account.region(region, now);
        region.ec2.provide(network, &mut chance).map_err(ProvideError)
    }

    /// Lets a role be there that somebody else has made, for a service to take on: an ARN, and for example `eks.amazonaws.com`.
    pub fn provide_role(&self, arn: &str, service: &str) {
        lock(&self.account).iam.provide(arn, service, (self.time)());
    }

    /// Lets a bucket be there that somebody else has made.
    pub fn provide_bucket(&self, region: &str, bucket: &str) {
        lock(&self.account).s3.provide_bucket(bucket, region);
    }

    /// Lets an object be there that somebody else has written.
    pub fn provide_object(&self, bucket: &str, key: &str, content: &str) {
        lock(&self.account).s3.provide_object(bucket, key, content, (self.time)());
    }

    /// Loses objects of a bucket: those of these keys.
    pub fn lose_objects(&self, bucket: &str, is_lost: impl Fn(&str) -> bool) {
        lock(&self.account).s3.lose(bucket, is_lost);
    }

    /// Whatever is there now belongs to somebody else and stays as it is, and what is made from now on carries these marks, and is
    /// there once. It is looked at after every call that changes something.
    pub fn watch(&self, marks: Marks) {
        // In the order in which a call takes both.
        let account = lock(&self.account);
        lock(&self.invariants).watch(&account, marks);
    }

    /// From now on, no control plane may be protected less than it is.
    pub fn keep_protection(&self) {
        let account = lock(&self.account);
        lock(&self.invariants).keep_protection(&account);
    }

    /// Another process calls from now on, which knows only what it is told.
    pub fn begin_caller(&self) {
        lock(&self.invariants).begin_caller();
    }

    /// What was wrong so far of all that is watched, and after which call.
    pub fn broken(&self) -> Vec<String> {
        lock(&self.invariants).broken()
    }

    /// The calls so far, in the order in which they came.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.faults).calls().to_vec()
    }

    /// How many calls came more often than the services allow.
    pub fn throttled(&self) -> usize {
        lock(&self.faults).throttled_count()
    }

    /// What took a while so far.
    pub fn transitions(&self) -> Vec<Transition> {
        lock(&self.account).transitions()
    }

    /// How many objects there are of each kind that a customer makes, now.
    pub fn inventory(&self) -> BTreeMap<&'static str, usize> {
        lock(&self.account).inventory((self.time)())
    }

    /// Answers whoever connects to `listener`, until it is dropped.
    ///
    /// # Errors
    ///
    /// When no connection can be accepted any more.
    pub async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        let clusters = TlsListener::bind(listener.local_addr().map(|address: SocketAddr| address.ip())?).await?;
        let url = format!("https://{}", clusters.address());
        lock(&self.account).serve_kubernetes(&KubernetesServer { url, authority: clusters.authority.clone() });
        let cloud = Router::new().route(ADDRESS_PATH, get(address)).fallback(reply).with_state(self.clone());
        let inside = Router::new().fallback(reply_inside).with_state(self);
        tokio::try_join!(axum::serve(listener, cloud).into_future(), axum::serve(clusters, inside).into_future())?;
        Ok(())
    }

    fn carry_out(request: &Request, account: &mut Account, now: Timestamp) -> Answer {
        account.authorize(request, now)?;
        match request.service {
            "autoscaling" => {
                let (region, ..) = account.region(&request.region, now);
                autoscaling::call(request, &mut region.autoscaling, now)
            }
            "ec2" => {
                let (region, iam, chance) = account.region(&request.region, now);
                ec2::call(request, &mut region.ec2, iam, chance, now)
            }
            "eks" => {
                let (region, iam, chance) = account.region(&request.region, now);
                eks::call(request, region, iam, chance, now)
            }
            "iam" if request.operation.name == "SimulatePrincipalPolicy" => {
                iam::simulate(request, &account.permissions)
            }
            "iam" => iam::call(request, &mut account.iam, &mut account.chance, now),
            "s3" => {
                let may_list = account.permissions.allow_listing(request)?;
                s3::call(request, &mut account.s3, may_list, now)
            }
            "servicequotas" => quotas::call(request),
            "sts" => sts::call(request),
            other => Err(ApiError::internal(format!("{other} is not emulated"))),
        }
    }
}

/// Everybody comes from the same address of those that documentation uses (RFC 5737).
async fn address() -> String {
    format!("{}\n", inside::CALLER_ADDRESS)
}

/// Answers a request to the API of a cluster.
async fn reply_inside(
    State(emulator): State<Emulator>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    match emulator.answer_inside(&method, &uri, &headers, &body) {
        Ok(answer) => answer,
        Err(Died(fault)) => emulator.bury(fault).await,
    }
}

/// Answers a request to the cloud.
async fn reply(
    State(emulator): State<Emulator>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    match emulator.answer(&method, &uri, &headers, &body) {
        Ok(answer) => answer,
        Err(Died(fault)) => emulator.bury(fault).await,
    }
}

impl Emulator {
    fn answer(&self, method: &Method, uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Result<Response<Body>, Died> {
        let understood = wire::read(method, uri, headers, body);
        let mut account = lock(&self.account);
        let request_id = account.chance.uuid();
        let request = match understood {
            Ok(request) => request,
            Err(failed) => return Ok(wire::failure(&failed, &request_id)),
        };
        let failure = |error| {
            let failed = Misunderstood { service: Some(request.service), operation: Some(request.operation), error };
            wire::failure(&failed, &request_id)
        };
        let operation = &request.operation.name;
        let (now, mutates) = ((self.time)(), faults::mutates(operation));
        let name = format!("{}:{operation}", request.service);
        let has_room = account.buckets.take(&request, now);
        let (fault, remembers) = {
            let mut faults = lock(&self.faults);
            let planned = faults.note(&name, mutates, now)?;
            (planned.or_else(|| faults.throttled(has_room)), mutates && faults.need_history())
        };
        if remembers {
            account.remember(now);
        }
        if faults::removes(operation) {
            let removed = account.named(&request, now);
            lock(&self.invariants).check_removal(&removed, &name);
        }
        let carried_out = fault.is_none_or(Fault::commits).then(|| {
            let answered = match fault {
                Some(Fault::OutOfDate) => {
                    let then = now - SignedDuration::from_secs(OUT_OF_DATE_SECS);
                    Self::carry_out(&request, &mut account.at(then), then)
                }
                _ => Self::carry_out(&request, &mut account, now),
            };
            let written = answered.and_then(|value| {
                let value = if fault == Some(Fault::EmptyPage) { wire::empty_page(&request, value) } else { value };
                let words = if fault == Some(Fault::Unfamiliar) { Words::Unfamiliar } else { Words::OfTheModel };
                if !mutates && fault.is_none_or(Fault::is_answered) {
                    lock(&self.invariants).note_answer(&value);
                }
                wire::answer(request.model(), request.operation, &value, &request_id, words)
            });
            written.unwrap_or_else(failure)
        });
        if fault == Some(Fault::FailsLater) && request.service == "eks" {
            let (region, _, chance) = account.region(&request.region, now);
            eks::fail_later(&request, region, chance, now);
        }
        if fault == Some(Fault::LeavesInterface) {
            let (region, _, chance) = account.region(&request.region, now);
            eks::leave_interface(&request, region, chance);
        }
        if mutates {
            account.note_transitions(now);
            lock(&self.invariants).check(&account, &name);
        }
        outcome(fault, carried_out, |fault| fault.says(&name).map(failure))
    }

    fn answer_inside(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Response<Body>, Died> {
        let now = (self.time)();
        let mut account = lock(&self.account);
        let (endpoint, path) = uri.path().trim_start_matches('/').split_once('/').unwrap_or_default();
        let regions: Vec<String> = account.regions.keys().cloned().collect();
        let found = regions.into_iter().find_map(|name| {
            let (region, ..) = account.region(&name, now);
            Some((name, inside::reachable(region, endpoint)?))
        });
        let Some((region, (cluster, version))) = found else { return Ok(broken_off()) };
        let path = format!("/{path}");
        let request = kubernetes::Request::read(method, (&path, uri.query()), headers, body, version);
        let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let token = token.strip_prefix("Bearer ").unwrap_or_default();
        let (name, mutates) = request.call();
        let fault = lock(&self.faults).note(&format!("kubernetes:{name}"), mutates, now)?;
        let carried_out = fault.is_none_or(Fault::commits).then(|| {
            let (found, _, chance) = account.region(&region, now);
            let answered = inside::answer(found, chance, &cluster, token, request, now);
            let follow = |watch| self.clone().follow(region.clone(), cluster.clone(), watch);
            answered.map_or_else(broken_off, |answered| answered.written(now, follow))
        });
        outcome(fault, carried_out, |fault| {
            let (code, reason, message) = fault.status()?;
            Some(kubernetes::Response::failure(code, reason, message).written(now, |_| Body::empty()))
        })
    }

    /// Sends what happens to the objects that are watched, until the watch or the cluster ends.
    fn follow(self, region: String, cluster: String, watch: Watch) -> Body {
        let look = move |watch: &mut Watch| {
            let (now, mut account) = ((self.time)(), lock(&self.account));
            let (region, _, chance) = account.region(&region, now);
            inside::follow(region, chance, &cluster, watch, now)
        };
        kubernetes::stream(watch, look)
    }

    /// Tells that the caller has died, whom nobody answers any more.
    async fn bury(&self, fault: Fault) -> Response<Body> {
        *lock(&self.deadly) = Some(fault);
        self.death.notify_one();
        std::future::pending().await
    }
}

/// What the caller gets to see of a call that was carried out, or was not. `said` is what the service says of a fault; when it says
/// nothing, the connection breaks.
fn outcome(
    fault: Option<Fault>,
    carried_out: Option<Response<Body>>,
    said: impl FnOnce(Fault) -> Option<Response<Body>>,
) -> Result<Response<Body>, Died> {
    match (fault, carried_out) {
        (None, Some(answer)) => Ok(answer),
        (Some(fault), Some(answer)) if fault.is_answered() => Ok(answer),
        (Some(fault), _) if fault.kills() => Err(Died(fault)),
        (fault, _) => Ok(fault.and_then(said).unwrap_or_else(broken_off)),
    }
}

/// An answer that ends before it has begun: its body cannot be read, so the connection is broken.
fn broken_off() -> Response<Body> {
    let nothing = futures::stream::once(async { Err::<Bytes, _>(io::Error::from(io::ErrorKind::ConnectionReset)) });
    Response::new(Body::from_stream(nothing))
}

/// What a call has changed when it fails is as it would be, so there is nothing to make whole.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
