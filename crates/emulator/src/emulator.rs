//! The emulated cloud, and its answers.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use axum::routing::get;
use jiff::Timestamp;
use tokio::net::TcpListener;

use crate::account::Account;
use crate::error::{Answer, ApiError};
use crate::faults::{Call, Fault, Faults, PlannedFault};
use crate::wire::{self, Misunderstood, Request};
use crate::{autoscaling, ec2, eks, iam, quotas, sts};

/// The path of the page that tells visitors their address, as <https://checkip.amazonaws.com> does.
pub const ADDRESS_PATH: &str = "/checkip";

/// An emulated AWS account. Clones are the same account.
#[derive(Clone)]
pub struct Emulator {
    time: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    account: Arc<Mutex<Account>>,
    faults: Arc<Mutex<Faults>>,
}

impl Emulator {
    /// An empty account in which `time` tells the time, which never goes back. The same seed gives the same names and durations.
    pub fn new(time: impl Fn() -> Timestamp + Send + Sync + 'static, seed: u64) -> Self {
        Self { time: Arc::new(time), account: Arc::new(Mutex::new(Account::new(seed))), faults: Arc::default() }
    }

    /// Lets something go wrong.
    pub fn plan_fault(&self, planned: PlannedFault) {
        lock(&self.faults).plan(planned);
    }

    /// The calls so far, in the order in which they came.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.faults).calls().to_vec()
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
        axum::serve(listener, Router::new().route(ADDRESS_PATH, get(address)).fallback(reply).with_state(self)).await
    }

    fn carry_out(&self, request: &Request, account: &mut Account) -> Answer {
        let now = (self.time)();
        match request.service {
            "autoscaling" => {
                let (region, ..) = account.region(&request.region, now);
                autoscaling::call(request, &mut region.autoscaling)
            }
            "ec2" => {
                let (region, _, chance) = account.region(&request.region, now);
                ec2::call(request, &mut region.ec2, chance, now)
            }
            "eks" => {
                let (region, iam, chance) = account.region(&request.region, now);
                eks::call(request, region, iam, chance, now)
            }
            "iam" => iam::call(request, &mut account.iam, &mut account.chance, now),
            "servicequotas" => quotas::call(request),
            "sts" => sts::call(request),
            other => Err(ApiError::internal(format!("{other} is not emulated"))),
        }
    }
}

/// Everybody comes from the same address of those that documentation uses (RFC 5737).
async fn address() -> &'static str {
    "203.0.113.7\n"
}

async fn reply(
    State(emulator): State<Emulator>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let understood = wire::read(&method, &uri, &headers, &body);
    let mut account = lock(&emulator.account);
    let request_id = account.chance.uuid();
    let request = match understood {
        Ok(request) => request,
        Err(failed) => return wire::failure(&failed, &request_id),
    };
    let failure = |error| {
        let failed = Misunderstood { service: Some(request.service), operation: Some(request.operation), error };
        wire::failure(&failed, &request_id)
    };
    let fault = lock(&emulator.faults).note(request.service, request.operation);
    if fault.is_none_or(Fault::commits) {
        let answered = emulator
            .carry_out(&request, &mut account)
            .and_then(|value| wire::answer(request.model(), request.operation, &value, &request_id));
        if fault.is_none() {
            return answered.unwrap_or_else(failure);
        }
    }
    fault.and_then(|fault| fault.says(request.service)).map_or_else(broken_off, failure)
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
