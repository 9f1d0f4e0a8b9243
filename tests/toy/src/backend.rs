//! The toy cloud's API.

use std::io;

use async_trait::async_trait;
use howso_infra_core::identity::{CLUSTER_TAG, DEPLOYMENT_TAG, GENERATION_TAG};
use howso_infra_core::{
    Attributes, Backend, ClusterIdentity, DeploymentId, ErrorKind, Generation, Kind, Leftover, Observation, Observed,
    Operation, OperationVerb, Ownership, Progress, ProviderError, Scope, Status, Submitted, Ticket, Value, Work,
};

use crate::folder::{Entry, Folder};
use crate::kinds::KINDS;

/// Reads and writes the folder.
pub(crate) struct ToyBackend {
    pub(crate) cluster: String,
    pub(crate) folder: Folder,
}

#[async_trait]
impl Backend for ToyBackend {
    fn kinds(&self) -> &'static [Kind] {
        KINDS
    }

    async fn observe(&self, scope: &Scope) -> Result<Observation, ProviderError> {
        let (entries, deployment) = match scope {
            Scope::Cluster { deployment, kinds: _ } => {
                (self.folder.list().map_err(failed("toy:List"))?, deployment.as_ref())
            }
            Scope::Resource { id, deployment, .. } => {
                let entry = self.folder.get(id).map_err(failed("toy:Get"))?;
                (entry.into_iter().collect(), Some(deployment))
            }
        };
        let mut observation = Observation::default();
        for entry in entries {
            observation.insert(entry.id.clone(), self.observed(entry, deployment));
        }
        Ok(observation)
    }

    async fn submit(&self, operation: &Operation) -> Result<Submitted, ProviderError> {
        let (call, result) = match &operation.work {
            Work::Create { attributes } => ("toy:Create", self.create(operation, attributes)),
            Work::Update { attributes, .. } => ("toy:Update", self.update(operation, attributes)),
            Work::Delete { .. } => ("toy:Delete", self.folder.remove(&operation.resource)),
        };
        result.map_err(failed(call))?;
        Ok(Submitted::Accepted(Ticket {
            resource: operation.resource.clone(),
            verb: operation.work.verb(),
            physical_id: operation.resource.to_string(),
            context: Attributes::new(),
        }))
    }

    async fn poll(&self, ticket: &Ticket) -> Result<Progress, ProviderError> {
        let entry = self.folder.get(&ticket.resource).map_err(failed("toy:Get"))?;
        Ok(match (ticket.verb, entry) {
            (OperationVerb::Delete, None) => Progress::Settled { outputs: Attributes::new() },
            (OperationVerb::Delete, Some(_)) => Progress::Pending { state: "deleting".to_owned() },
            (_, Some(entry)) if entry.is_settled() => Progress::Settled { outputs: outputs(&entry) },
            (_, Some(_)) => Progress::Pending { state: "working".to_owned() },
            (_, None) => {
                let message = format!("{} has disappeared", ticket.resource);
                Progress::Failed(ProviderError::new(ErrorKind::Gone, "toy:Get", message))
            }
        })
    }

    async fn audit(&self, _identity: &ClusterIdentity) -> Result<Vec<Leftover>, ProviderError> {
        Ok(Vec::new())
    }
}

impl ToyBackend {
    fn create(&self, operation: &Operation, attributes: &Attributes) -> io::Result<()> {
        if self.folder.get(&operation.resource)?.is_some() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it exists already"));
        }
        self.folder.put(&operation.resource, operation.identity.tags(&operation.resource), attributes.clone())
    }

    fn update(&self, operation: &Operation, attributes: &Attributes) -> io::Result<()> {
        let Some(entry) = self.folder.get(&operation.resource)? else {
            return Err(io::Error::new(io::ErrorKind::NotFound, "it does not exist"));
        };
        self.folder.put(&operation.resource, entry.tags, attributes.clone())
    }

    fn observed(&self, entry: Entry, deployment: Option<&DeploymentId>) -> Observed {
        Observed {
            physical_id: entry.id.to_string(),
            ownership: self.ownership(&entry, deployment),
            status: if entry.is_settled() { Status::Ready } else { Status::Pending { state: "working".to_owned() } },
            outputs: outputs(&entry),
            attributes: entry.attributes,
        }
    }

    fn ownership(&self, entry: &Entry, wanted: Option<&DeploymentId>) -> Ownership {
        let tagged = entry.tags.get(DEPLOYMENT_TAG).and_then(|id| id.parse::<DeploymentId>().ok());
        match tagged {
            Some(deployment)
                if entry.tags.get(CLUSTER_TAG) == Some(&self.cluster) && wanted.is_none_or(|id| *id == deployment) =>
            {
                let generation = entry.tags.get(GENERATION_TAG).and_then(|text| text.parse().ok()).map(Generation);
                Ownership::Ours { deployment, generation }
            }
            Some(deployment) => Ownership::Foreign { evidence: format!("tag {DEPLOYMENT_TAG}={deployment}") },
            None => Ownership::Unclaimed,
        }
    }
}

fn outputs(entry: &Entry) -> Attributes {
    Attributes::from([("id".to_owned(), Value::text(entry.id.to_string()))])
}

fn failed(call: &'static str) -> impl Fn(io::Error) -> ProviderError {
    move |error| {
        let kind = match error.kind() {
            io::ErrorKind::AlreadyExists => ErrorKind::Conflict { owner: String::new() },
            io::ErrorKind::NotFound => ErrorKind::Gone,
            io::ErrorKind::PermissionDenied => ErrorKind::Permission { action: call.to_owned() },
            _ => ErrorKind::Bug,
        };
        ProviderError::new(kind, call, error.to_string())
    }
}
