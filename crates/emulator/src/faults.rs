//! What goes wrong on purpose, and what was called.

use std::collections::BTreeMap;

use crate::error::ApiError;
use crate::model::Operation;

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The service says that it cannot be reached, and has done nothing.
    Unavailable,
    /// The service says that it was called too often, and has done nothing.
    Throttled,
    /// The connection breaks before the service has done anything.
    NeverArrives,
    /// The service has done what was asked, and says that it failed.
    FailsAfterwards,
    /// The service has done what was asked, and the connection breaks before the answer arrives.
    AnswerLost,
}

/// A call that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The service and the operation, for example `ec2:CreateVpc`.
    pub name: String,
    /// Whether it changes anything.
    pub mutates: bool,
}

/// The calls so far, and what is to go wrong with later ones.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    calls: Vec<Call>,
    mutating: usize,
    planned: BTreeMap<usize, Fault>,
}

impl Fault {
    /// All there are.
    pub const ALL: [Self; 5] =
        [Self::Unavailable, Self::Throttled, Self::NeverArrives, Self::FailsAfterwards, Self::AnswerLost];

    /// Whether the service does what it was asked for.
    pub(crate) fn commits(self) -> bool {
        match self {
            Self::Unavailable | Self::Throttled | Self::NeverArrives => false,
            Self::FailsAfterwards | Self::AnswerLost => true,
        }
    }

    /// What the service says; nothing when the connection breaks.
    pub(crate) fn says(self, service: &str) -> Option<ApiError> {
        match self {
            Self::Unavailable => {
                Some(ApiError::new("ServiceUnavailable", "The service is unavailable.").with_status(503))
            }
            Self::Throttled if service == "ec2" => {
                Some(ApiError::new("RequestLimitExceeded", "Request limit exceeded.").with_status(503))
            }
            Self::Throttled => Some(ApiError::new("ThrottlingException", "Rate exceeded").with_status(429)),
            Self::FailsAfterwards => Some(ApiError::internal("An internal error has occurred")),
            Self::NeverArrives | Self::AnswerLost => None,
        }
    }
}

impl Faults {
    /// Lets something go wrong with the mutating call of this number, counted from 0.
    pub(crate) fn plan(&mut self, call: usize, fault: Fault) {
        self.planned.insert(call, fault);
    }

    /// Notes a call, and says what goes wrong with it.
    pub(crate) fn note(&mut self, service: &str, operation: &Operation) -> Option<Fault> {
        let mutates = !["Describe", "Get", "List"].iter().any(|prefix| operation.name.starts_with(prefix));
        self.calls.push(Call { name: format!("{service}:{}", operation.name), mutates });
        if !mutates {
            return None;
        }
        let number = self.mutating;
        self.mutating += 1;
        self.planned.remove(&number)
    }

    pub(crate) fn calls(&self) -> &[Call] {
        &self.calls
    }
}
