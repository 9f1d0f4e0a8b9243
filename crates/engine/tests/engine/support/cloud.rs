//! A made-up cloud with the weaknesses of real ones: delayed visibility, dependencies, names, tokens, and faults on request.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use howso_infra_core::kind::{CreateSafety, FieldRule, Kind, Removal};
use howso_infra_core::plan::Kinds;
use howso_infra_core::{
    Attributes, Backend, ClusterIdentity, DeploymentId, ErrorKind, Gap, Generation, Leftover, Observation, Observed,
    Operation, OperationVerb, Ownership, Progress, ProviderError, ResourceId, Scope, Status, Submitted, Ticket, Value,
    Work,
};
use howso_infra_engine::{Clock, Moment, VirtualClock};

use super::graphs::KINDS;
use super::switch::Switch;

/// How long a request takes.
const REQUEST: Duration = Duration::from_millis(200);

/// What goes wrong with a mutating request.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// It is carried out, and the answer is lost.
    LostAfter,
    /// It is not carried out, and that is not known.
    LostBefore,
    /// It is carried out, and the answer never comes.
    Hangs,
    /// It is not carried out, for this reason.
    Refused(ErrorKind),
}

/// What goes wrong with a read.
#[derive(Clone, Debug)]
pub(crate) enum ReadFault {
    Refused(ErrorKind),
    /// Nothing could be read.
    Gap,
}

#[derive(Clone, Debug)]
pub(crate) struct Thing {
    pub(crate) resource: ResourceId,
    pub(crate) physical_id: String,
    /// Absent when it carries no tag.
    pub(crate) deployment: Option<DeploymentId>,
    pub(crate) generation: Generation,
    pub(crate) attributes: Attributes,
    pub(crate) visible_from: Moment,
    pub(crate) busy_until: Moment,
    pub(crate) gone_from: Option<Moment>,
    pub(crate) is_failed: bool,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) things: BTreeMap<String, Thing>,
    /// What each token made.
    pub(crate) tokens: BTreeMap<String, String>,
    pub(crate) made: usize,
    pub(crate) mutations: usize,
    pub(crate) reads: usize,
    /// Faults by the number of the mutating request.
    pub(crate) faults: BTreeMap<usize, Fault>,
    /// Faults by the number of the read.
    pub(crate) read_faults: BTreeMap<usize, ReadFault>,
    /// Every mutating request: what was asked, and when.
    pub(crate) log: Vec<(Moment, String)>,
    /// What must never happen.
    pub(crate) violations: Vec<String>,
    /// How long each new thing stays invisible, in turn.
    pub(crate) delays: Vec<Duration>,
    /// A resource whose every call is refused.
    pub(crate) always: Option<(ResourceId, ErrorKind)>,
    /// A resource that breaks once while it is made.
    pub(crate) doomed: Option<ResourceId>,
    /// A resource that takes three times as long as usual to be made.
    pub(crate) slow: Option<ResourceId>,
    /// A resource that stays invisible for so long after it was made.
    pub(crate) hidden: Option<(ResourceId, Duration)>,
    /// How often each token was sent.
    pub(crate) sent: BTreeMap<String, usize>,
}

/// Counts the durable intents with a token.
pub(crate) type IntentsOf = Box<dyn Fn(String) -> BoxFuture<'static, usize> + Send + Sync>;

pub(crate) struct Cloud {
    pub(crate) state: Mutex<State>,
    pub(crate) clock: VirtualClock,
    pub(crate) switch: Arc<Switch>,
    /// Reads the journal, to see whether the intent of a call is durable.
    pub(crate) intents_of: IntentsOf,
    /// Called before every mutating request.
    pub(crate) before_submit: Mutex<Option<Box<dyn FnMut() + Send>>>,
}

impl State {
    /// Removes what is gone by now, and what goes with it.
    fn pass(&mut self, now: Moment) {
        let is_gone = |thing: &Thing| thing.gone_from.is_some_and(|gone| gone <= now);
        let gone: Vec<Thing> = self.things.values().filter(|thing| is_gone(thing)).cloned().collect();
        for thing in gone {
            self.things.remove(&thing.physical_id);
            self.things.retain(|_, other| {
                let goes_along =
                    matches!(kind(&other.resource).removal, Removal::With(parent) if parent == thing.resource.kind());
                !(goes_along && mentions(&other.attributes, &thing.physical_id))
            });
        }
    }

    fn create(
        &mut self,
        now: Moment,
        operation: &Operation,
        attributes: &Attributes,
    ) -> Result<Submitted, ProviderError> {
        let kind = kind(&operation.resource);
        self.check_dependencies(now, operation, attributes);
        let token = operation.token.as_str().to_owned();
        match kind.create_safety {
            CreateSafety::Named => {
                if self.things.values().any(|thing| thing.resource == operation.resource) {
                    return Err(error(ErrorKind::Conflict { owner: "somebody".to_owned() }, "the name is taken"));
                }
            }
            CreateSafety::Token => {
                if let Some(physical_id) = self.tokens.get(&token).cloned() {
                    let Some(thing) = self.things.get(&physical_id) else {
                        self.violations.push(format!("the token of the dead {physical_id} was sent again"));
                        return Ok(Submitted::Settled { physical_id, outputs: Attributes::new() });
                    };
                    return Ok(answer(now, OperationVerb::Create, thing));
                }
            }
            CreateSafety::TagOnly => {}
        }
        if let Some(lane) = kind.lane {
            let is_busy =
                |thing: &&Thing| super::cloud::kind(&thing.resource).lane == Some(lane) && thing.busy_until > now;
            if self.things.values().any(|thing| is_busy(&thing)) {
                self.violations.push(format!("{} was started while its lane was busy", operation.resource));
            }
        }
        let thing = self.make(now, operation, attributes);
        self.tokens.insert(token, thing.physical_id.clone());
        Ok(answer(now, OperationVerb::Create, &thing))
    }

    fn make(&mut self, now: Moment, operation: &Operation, attributes: &Attributes) -> Thing {
        let kind = kind(&operation.resource);
        self.made += 1;
        let mut attributes = attributes.clone();
        for (field, rule) in kind.fields {
            let FieldRule::InPlace(rule) = rule else { continue };
            if rule.carried == howso_infra_core::kind::Carried::AfterCreate && attributes.contains_key(*field) {
                attributes.insert((*field).to_owned(), Value::Bool(false));
            }
        }
        let delay = match &self.hidden {
            Some((resource, delay)) if *resource == operation.resource => *delay,
            Some(_) | None if self.delays.is_empty() => Duration::ZERO,
            Some(_) | None => self.delays[self.made % self.delays.len()],
        };
        let thing = Thing {
            resource: operation.resource.clone(),
            physical_id: format!("{}#{}", operation.resource.kind(), self.made),
            deployment: Some(operation.identity.deployment.clone()),
            generation: operation.identity.generation,
            attributes,
            visible_from: now + delay,
            busy_until: now
                + work_time(kind.create) * if self.slow.as_ref() == Some(&operation.resource) { 3 } else { 1 },
            gone_from: None,
            is_failed: self.doomed.take_if(|doomed| *doomed == operation.resource).is_some(),
        };
        self.things.insert(thing.physical_id.clone(), thing.clone());
        thing
    }

    /// Whatever a new thing refers to must exist and be usable.
    fn check_dependencies(&mut self, now: Moment, operation: &Operation, attributes: &Attributes) {
        for text in attributes.values().flat_map(texts) {
            let is_usable = |thing: &Thing| thing.busy_until <= now && thing.gone_from.is_none() && !thing.is_failed;
            if text.contains('#') && !self.things.get(&text).is_some_and(is_usable) {
                self.violations.push(format!("{} was made before {text} was usable", operation.resource));
            }
        }
    }

    fn target(&mut self, operation: &Operation, physical_id: &str) -> Result<&mut Thing, ProviderError> {
        let Some(thing) = self.things.get_mut(physical_id) else {
            return Err(error(ErrorKind::Gone, "it does not exist"));
        };
        if thing.deployment.as_ref() != Some(&operation.identity.deployment) {
            self.violations.push(format!("the foreign {physical_id} was touched"));
        }
        Ok(thing)
    }

    fn update(&mut self, now: Moment, operation: &Operation) -> Result<Submitted, ProviderError> {
        let Work::Update { physical_id, changes, .. } = &operation.work else { unreachable!() };
        let thing = self.target(operation, physical_id)?;
        if thing.busy_until > now || thing.gone_from.is_some() {
            return Err(error(ErrorKind::Busy { by: "another change".to_owned() }, "busy"));
        }
        for change in changes {
            thing.attributes.insert(change.field.clone(), change.to.clone());
        }
        thing.busy_until = now + work_time(kind(&operation.resource).update);
        let thing = thing.clone();
        Ok(answer(now, OperationVerb::Update, &thing))
    }

    fn delete(&mut self, now: Moment, operation: &Operation) -> Result<Submitted, ProviderError> {
        let Work::Delete { physical_id, .. } = &operation.work else { unreachable!() };
        self.target(operation, physical_id)?;
        let user = self.things.values().find(|other| {
            !matches!(kind(&other.resource).removal, Removal::With(_)) && mentions(&other.attributes, physical_id)
        });
        if let Some(user) = user {
            return Err(error(ErrorKind::Dependency { on: user.physical_id.clone() }, "it is in use"));
        }
        let thing = self.target(operation, physical_id)?;
        if thing.gone_from.is_none() {
            thing.gone_from = Some(now + work_time(kind(&operation.resource).delete));
        }
        let thing = thing.clone();
        self.pass(now);
        Ok(answer(now, OperationVerb::Delete, &thing))
    }
}

impl Cloud {
    pub(crate) fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Puts a thing into the cloud that nobody asked for.
    pub(crate) fn plant(&self, thing: Thing) {
        self.lock().things.insert(thing.physical_id.clone(), thing);
    }

    /// What there is, in terms that do not depend on the history: identifiers are replaced by names.
    pub(crate) fn summary(&self) -> Vec<String> {
        let now = self.clock.now();
        let mut state = self.lock();
        state.pass(now);
        let names: BTreeMap<&str, String> =
            state.things.values().map(|thing| (thing.physical_id.as_str(), thing.resource.to_string())).collect();
        let mut lines: Vec<String> = state
            .things
            .values()
            .map(|thing| {
                let owner = thing.deployment.as_ref().map_or("nobody", |id| &id.as_str()[..4]);
                let mut line = format!("{} of {owner}:", thing.resource);
                for (field, value) in &thing.attributes {
                    let mut value = value.to_string();
                    for (physical_id, name) in names.iter().rev() {
                        value = value.replace(physical_id, name);
                    }
                    line = format!("{line} {field}={value}");
                }
                line
            })
            .collect();
        lines.sort();
        lines
    }

    fn observed(now: Moment, thing: &Thing, deployment: Option<&DeploymentId>) -> Observed {
        let ownership = match &thing.deployment {
            None => Ownership::Unclaimed,
            Some(owner) if deployment.is_none_or(|wanted| wanted == owner) => {
                Ownership::Ours { deployment: owner.clone(), generation: Some(thing.generation) }
            }
            Some(owner) => Ownership::Foreign { evidence: format!("deployment {owner}") },
        };
        let status = match thing {
            Thing { gone_from: Some(_), .. } => Status::Deleting,
            Thing { is_failed: true, .. } => Status::Failed { reason: "it broke".to_owned() },
            Thing { busy_until, .. } if *busy_until > now => Status::Pending { state: "busy".to_owned() },
            Thing { .. } => Status::Ready,
        };
        let (physical_id, attributes) = (thing.physical_id.clone(), thing.attributes.clone());
        Observed { physical_id, ownership, status, attributes, outputs: outputs(thing) }
    }

    /// Takes the fault of the next read.
    fn read_fault(&self) -> Option<ReadFault> {
        let mut state = self.lock();
        state.reads += 1;
        let number = state.reads;
        state.read_faults.remove(&number)
    }
}

#[async_trait]
impl Backend for Cloud {
    fn kinds(&self) -> &'static [Kind] {
        KINDS
    }

    async fn observe(&self, scope: &Scope) -> Result<Observation, ProviderError> {
        self.switch.boundary().await;
        self.clock.sleep(REQUEST).await;
        let mut observation = Observation::default();
        match self.read_fault() {
            None => {}
            Some(ReadFault::Refused(kind)) => return Err(error(kind, "the read failed")),
            Some(ReadFault::Gap) => {
                let kinds = KINDS.iter().map(|kind| kind.name.to_owned()).collect();
                observation.gaps.push(Gap { kinds, error: error(ErrorKind::Transient, "page two is missing") });
                return Ok(observation);
            }
        }
        let now = self.clock.now();
        let mut state = self.lock();
        state.pass(now);
        let (only, deployment) = match scope {
            Scope::Cluster { deployment, kinds: _ } => (None, deployment.as_ref()),
            Scope::Resource { id, deployment, .. } => (Some(id), Some(deployment)),
        };
        for thing in state.things.values() {
            if thing.visible_from <= now && only.is_none_or(|id| *id == thing.resource) {
                observation.insert(thing.resource.clone(), Self::observed(now, thing, deployment));
            }
        }
        Ok(observation)
    }

    async fn submit(&self, operation: &Operation) -> Result<Submitted, ProviderError> {
        self.switch.boundary().await;
        if let Some(before) = self.before_submit.lock().unwrap().as_mut() {
            before();
        }
        let token = operation.token.as_str().to_owned();
        let intents = (self.intents_of)(token.clone()).await;
        let fault = {
            let mut state = self.lock();
            state.mutations += 1;
            let sent = *state.sent.entry(token).and_modify(|sent| *sent += 1).or_insert(1);
            if intents < sent {
                state.violations.push(format!("{} was sent without a durable intent", operation.resource));
            }
            let entry = format!("{:?} {}", operation.work.verb(), operation.resource);
            state.log.push((self.clock.now(), entry));
            let number = state.mutations;
            match &state.always {
                Some((resource, kind)) if *resource == operation.resource => Some(Fault::Refused(kind.clone())),
                Some(_) | None => state.faults.remove(&number),
            }
        };
        self.clock.sleep(REQUEST / 2).await;
        match fault {
            Some(Fault::LostBefore) => return Err(error(ErrorKind::Ambiguous, "the connection broke")),
            Some(Fault::Refused(kind)) => return Err(error(kind, "refused")),
            Some(Fault::LostAfter | Fault::Hangs) | None => {}
        }
        let result = {
            let now = self.clock.now();
            let mut state = self.lock();
            state.pass(now);
            match &operation.work {
                Work::Create { attributes } => state.create(now, operation, attributes),
                Work::Update { .. } => state.update(now, operation),
                Work::Delete { .. } => state.delete(now, operation),
            }
        };
        self.switch.boundary().await;
        match fault {
            Some(Fault::LostAfter) => return Err(error(ErrorKind::Ambiguous, "the connection broke")),
            Some(Fault::Hangs) => self.clock.sleep(Duration::from_hours(24)).await,
            Some(Fault::LostBefore | Fault::Refused(_)) | None => self.clock.sleep(REQUEST / 2).await,
        }
        result
    }

    async fn poll(&self, ticket: &Ticket) -> Result<Progress, ProviderError> {
        self.switch.boundary().await;
        self.clock.sleep(REQUEST).await;
        match self.read_fault() {
            None => {}
            Some(ReadFault::Refused(kind)) => return Err(error(kind, "the read failed")),
            Some(ReadFault::Gap) => return Err(error(ErrorKind::Ambiguous, "the connection broke")),
        }
        let now = self.clock.now();
        let mut state = self.lock();
        state.pass(now);
        let thing = state.things.get(&ticket.physical_id).filter(|thing| thing.visible_from <= now);
        match (ticket.verb, thing) {
            (_, None) => Err(error(ErrorKind::Gone, "it does not exist")),
            (OperationVerb::Delete, Some(_)) => Ok(Progress::Pending { state: "deleting".to_owned() }),
            (_, Some(thing)) if thing.is_failed => Ok(Progress::Failed(error(ErrorKind::Failed, "it broke"))),
            (_, Some(thing)) if thing.busy_until > now => Ok(Progress::Pending { state: "busy".to_owned() }),
            (_, Some(thing)) => Ok(Progress::Settled { outputs: outputs(thing) }),
        }
    }

    async fn audit(&self, _identity: &ClusterIdentity) -> Result<Vec<Leftover>, ProviderError> {
        Ok(Vec::new())
    }
}

fn answer(now: Moment, verb: OperationVerb, thing: &Thing) -> Submitted {
    let physical_id = thing.physical_id.clone();
    let is_done = if verb == OperationVerb::Delete {
        thing.gone_from.is_some_and(|gone| gone <= now)
    } else {
        thing.busy_until <= now
    };
    if is_done {
        Submitted::Settled { physical_id, outputs: outputs(thing) }
    } else {
        let (resource, context) = (thing.resource.clone(), Attributes::new());
        Submitted::Accepted(Ticket { resource, verb, physical_id, context })
    }
}

fn outputs(thing: &Thing) -> Attributes {
    Attributes::from([("id".to_owned(), Value::text(&thing.physical_id))])
}

pub(crate) fn kind(resource: &ResourceId) -> &'static Kind {
    Kinds::new([KINDS]).get(resource.kind()).unwrap()
}

/// How long the cloud works on something; what is immediate is done with the answer.
fn work_time(latency: howso_infra_core::Latency) -> Duration {
    if latency.median_secs <= 1.0 { Duration::ZERO } else { latency.median() }
}

pub(crate) fn error(kind: ErrorKind, message: &str) -> ProviderError {
    ProviderError::new(kind, "toy:Call", message)
}

fn mentions(attributes: &Attributes, physical_id: &str) -> bool {
    attributes.values().flat_map(texts).any(|text| text == physical_id)
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Text(text) => vec![text.clone()],
        Value::List(items) => items.iter().flat_map(texts).collect(),
        Value::Map(entries) => entries.values().flat_map(texts).collect(),
        Value::Bool(_) | Value::Integer(_) | Value::Reference(_) => Vec::new(),
    }
}
