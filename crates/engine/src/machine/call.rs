//! One call, from its intent until it is settled.

use std::time::Duration;

use howso_infra_core::error::{OperationVerb, ProviderError};
use howso_infra_core::identity::digest;
use howso_infra_core::{Attributes, DeploymentId, Operation, ResourceId, Scope, Ticket, Work};

use crate::clock::Moment;
use crate::journal::record::{Intent, Record};

/// One call, from its intent until it is settled.
#[derive(Debug)]
pub(super) struct Call {
    /// The call; absent when it was sent by somebody else and is only waited for.
    pub(super) operation: Option<Box<Operation>>,
    /// What the call is for.
    pub(super) role: Role,
    /// What to ask about, once the call was accepted.
    pub(super) ticket: Option<Ticket>,
    /// When the call was last sent.
    pub(super) sent: Option<Moment>,
    /// Failures in a row that count against the number of attempts.
    pub(super) failures: u32,
    /// Failures in a row that count against the deadline.
    pub(super) waits: u32,
    /// The error after which it is not known whether the call had an effect, and when it came.
    pub(super) doubt: Option<(ProviderError, Moment)>,
    /// Whether some earlier attempt may have had an effect that was not seen yet.
    pub(super) may_have_happened: bool,
    /// How often it was found out whether the call had an effect.
    pub(super) resolutions: u32,
    /// The lookups of the present resolution.
    pub(super) lookups: u32,
    /// When the last lookup was sent.
    pub(super) looked: Moment,
}

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The step.
    Main,
    /// Removing a duplicate that a lost answer left.
    Duplicate,
}

impl Call {
    pub(super) fn new(operation: Operation, role: Role) -> Self {
        Self { operation: Some(Box::new(operation)), role, ..Self::empty() }
    }

    pub(super) fn waiting(ticket: Ticket, now: Moment) -> Self {
        Self { ticket: Some(ticket), sent: Some(now), ..Self::empty() }
    }

    fn empty() -> Self {
        Self {
            operation: None,
            role: Role::Main,
            ticket: None,
            sent: None,
            failures: 0,
            waits: 0,
            doubt: None,
            may_have_happened: false,
            resolutions: 0,
            lookups: 0,
            looked: Moment::START,
        }
    }

    /// Forgets failures after an answer without one.
    pub(super) fn answered(&mut self) {
        (self.failures, self.waits) = (0, 0);
    }

    /// The verb of the call.
    pub(super) fn verb(&self) -> OperationVerb {
        match (&self.operation, &self.ticket) {
            (Some(operation), _) => operation.work.verb(),
            (None, Some(ticket)) => ticket.verb,
            (None, None) => OperationVerb::Observe,
        }
    }

    /// The record to be durable before the call is sent.
    pub(super) fn intent(&self) -> Option<Record> {
        let operation = self.operation.as_ref()?;
        Some(Record::Intent(Intent {
            resource: operation.resource.clone(),
            verb: operation.work.verb(),
            physical_id: operation.work.physical_id().map(str::to_owned),
            token: operation.token.clone(),
            generation: operation.identity.generation,
            attributes_digest: digest(self.attributes()),
        }))
    }

    /// Where to look whether the call had an effect.
    pub(super) fn scope(&self, deployment: &DeploymentId) -> Option<Scope> {
        let operation = self.operation.as_ref()?;
        Some(Scope::Resource {
            id: operation.resource.clone(),
            deployment: deployment.clone(),
            attributes: self.attributes().clone(),
            physical_id: operation.work.physical_id().map(str::to_owned),
        })
    }

    /// A ticket for a resource that was found instead of being told.
    pub(super) fn ticket_for(&self, resource: &ResourceId, physical_id: &str, observed: &Attributes) -> Ticket {
        let mut context = self.attributes().clone();
        context.extend(observed.clone());
        Ticket { resource: resource.clone(), verb: self.verb(), physical_id: physical_id.to_owned(), context }
    }

    /// How long ago the call was sent.
    pub(super) fn age(&self, now: Moment) -> Duration {
        self.sent.map_or(Duration::ZERO, |sent| now.since(sent))
    }

    fn attributes(&self) -> &Attributes {
        static NONE: Attributes = Attributes::new();
        match self.operation.as_ref().map(|operation| &operation.work) {
            Some(Work::Create { attributes } | Work::Update { attributes, .. } | Work::Delete { attributes, .. }) => {
                attributes
            }
            None => &NONE,
        }
    }
}
