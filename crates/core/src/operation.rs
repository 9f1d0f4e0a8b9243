//! What the engine asks of a backend, and what the backend answers.

use serde::{Deserialize, Serialize};

use crate::error::{OperationVerb, ProviderError};
use crate::identity::{ClusterIdentity, Token};
use crate::resource::ResourceId;
use crate::value::{Attributes, Value};

/// Exactly one mutating call, with everything it needs: no reference is left unresolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// The resource it is about.
    pub resource: ResourceId,
    /// What to do.
    pub work: Work,
    /// The idempotency token, for calls that take one.
    pub token: Token,
    /// Whose the resource is; [`ClusterIdentity::tags`] go into a create call.
    pub identity: ClusterIdentity,
}

/// What an [`Operation`] does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Work {
    /// Make it.
    Create {
        /// All desired attributes. The backend leaves out those that follow by a call of their own.
        attributes: Attributes,
    },
    /// Change it by one call.
    Update {
        /// The cloud's own identifier.
        physical_id: String,
        /// The call, as named in the kind's field rules.
        call: String,
        /// The fields that the call changes.
        changes: Vec<FieldChange>,
        /// All desired attributes, for calls that need more than what changes.
        attributes: Attributes,
    },
    /// Remove it.
    Delete {
        /// The cloud's own identifier.
        physical_id: String,
        /// What was last observed of it, for calls that need more than the identifier.
        attributes: Attributes,
    },
}

/// One field that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldChange {
    /// The field's name.
    pub field: String,
    /// The observed value; absent when the cloud reports none.
    pub from: Option<Value>,
    /// The wanted value.
    pub to: Value,
}

/// The accepted call, for polling: everything that is needed to ask whether it is done, also by a later process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ticket {
    /// The resource it is about.
    pub resource: ResourceId,
    /// What is being waited for.
    pub verb: OperationVerb,
    /// The cloud's own identifier of the resource.
    pub physical_id: String,
    /// What else the backend needs to ask, for example the id of an update. In a ticket that the engine makes itself (for a
    /// resource that was found, not answered with) these are the attributes of the resource.
    pub context: Attributes,
}

/// The answer to a submitted operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// The answer already is the end: the resource is usable, changed or gone.
    Settled {
        /// The cloud's own identifier of the resource.
        physical_id: String,
        /// What others may refer to; empty after a deletion, partial after an update.
        outputs: Attributes,
    },
    /// The cloud goes on working; poll the ticket.
    Accepted(Ticket),
}

impl Submitted {
    /// The end, of which nobody refers to anything.
    pub fn settled(physical_id: impl Into<String>) -> Self {
        Self::settled_with(physical_id, Attributes::new())
    }

    /// The end, with what others may refer to.
    pub fn settled_with(physical_id: impl Into<String>, outputs: Attributes) -> Self {
        Self::Settled { physical_id: physical_id.into(), outputs }
    }

    /// That the cloud goes on working at `operation`, with what polls must know beside the resource.
    pub fn accepted(operation: &Operation, physical_id: impl Into<String>, context: Attributes) -> Self {
        Self::Accepted(Ticket {
            resource: operation.resource.clone(),
            verb: operation.work.verb(),
            physical_id: physical_id.into(),
            context,
        })
    }
}

/// The answer to a poll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Not yet.
    Pending {
        /// The cloud's word for the state, for people.
        state: String,
    },
    /// The resource is usable, changed or gone.
    Settled {
        /// What others may refer to; empty after a deletion, partial after an update.
        outputs: Attributes,
    },
    /// It will not succeed.
    Failed(ProviderError),
}

impl Work {
    /// The verb of this work.
    pub fn verb(&self) -> OperationVerb {
        match self {
            Self::Create { .. } => OperationVerb::Create,
            Self::Update { .. } => OperationVerb::Update,
            Self::Delete { .. } => OperationVerb::Delete,
        }
    }

    /// The identifier of a resource that existed before the call.
    pub fn physical_id(&self) -> Option<&str> {
        match self {
            Self::Create { .. } => None,
            Self::Update { physical_id, .. } | Self::Delete { physical_id, .. } => Some(physical_id),
        }
    }
}
