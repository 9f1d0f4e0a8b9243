//! The emulated cloud, and its answers.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, Uri};
use jiff::Timestamp;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::account::Account;
use crate::error::{Answer, ApiError};
use crate::wire::{self, Misunderstood, Request};
use crate::{autoscaling, ec2, eks, iam, quotas, sts};

/// An emulated AWS account. Clones are the same account.
#[derive(Clone)]
pub struct Emulator {
    time: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    account: Arc<Mutex<Account>>,
}

impl Emulator {
    /// An empty account in which `time` tells the time, which never goes back. The same seed gives the same names and durations.
    pub fn new(time: impl Fn() -> Timestamp + Send + Sync + 'static, seed: u64) -> Self {
        Self { time: Arc::new(time), account: Arc::new(Mutex::new(Account::new(seed))) }
    }

    /// Answers whoever connects to `listener`, until it is dropped.
    ///
    /// # Errors
    ///
    /// When no connection can be accepted any more.
    pub async fn serve(self, listener: TcpListener) -> std::io::Result<()> {
        axum::serve(listener, Router::new().fallback(reply).with_state(self)).await
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

async fn reply(
    State(emulator): State<Emulator>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    let understood = wire::read(&method, &uri, &headers, &body);
    // What a call has changed when it fails is as it would be: there is nothing to make whole.
    let mut account = emulator.account.lock().unwrap_or_else(PoisonError::into_inner);
    let request_id = request_id(&mut account);
    let answered = understood.and_then(|request| {
        let failed =
            |error| Misunderstood { service: Some(request.service), operation: Some(request.operation), error };
        let value: Value = emulator.carry_out(&request, &mut account).map_err(failed)?;
        wire::answer(request.model(), request.operation, &value, &request_id).map_err(failed)
    });
    answered.unwrap_or_else(|failed| wire::failure(&failed, &request_id))
}

fn request_id(account: &mut Account) -> String {
    let mut part = |length| account.chance.letters(length);
    [part(8), part(4), part(4), part(4), part(12)].join("-")
}
