//! The cluster itself.

use aws_sdk_eks::Client;
use aws_sdk_eks::types::{
    AuthenticationMode, Cluster, ClusterHealth, ClusterStatus, CreateAccessConfigRequest, EncryptionConfig,
    KubernetesNetworkConfigRequest, LogSetup, LogType, Logging, Provider, SupportType, UpdateAccessConfigRequest,
    UpgradePolicyRequest, VpcConfigRequest,
};
use howso_infra_core::spec::KubernetesVersion;
use howso_infra_core::{
    Attributes, ErrorKind, FieldChange, Observation, Observed, Operation, OperationVerb, Ownership, Progress,
    ProviderError, ResourceId, Status, Submitted, Ticket, Value,
};

use crate::control_plane::kinds::{CLUSTER, call};
use crate::control_plane::updates::accepted;
use crate::fields::{boolean, text, texts};
use crate::health::{self, Issue};
use crate::tags::{self, Tags};
use crate::{eks_arn, errors};

/// The version of a new cluster when the service does not tell which versions there are.
pub(crate) const DEFAULT_VERSION: KubernetesVersion = KubernetesVersion { major: 1, minor: 34 };

/// Every log that the control plane can write.
const LOG_TYPES: [LogType; 5] =
    [LogType::Api, LogType::Audit, LogType::Authenticator, LogType::ControllerManager, LogType::Scheduler];

/// The cluster's name in the graph.
pub(crate) fn cluster_id() -> ResourceId {
    ResourceId::new(CLUSTER, "main")
}

/// The version of the cluster that is there.
pub(crate) fn observed_version(observation: &Observation) -> Option<KubernetesVersion> {
    observation.one(&cluster_id())?.attributes.get("version")?.as_text()?.parse().ok()
}

/// Reads the cluster; [`None`] when there is none.
pub(crate) async fn read(eks: &Client, name: &str) -> Result<Option<Cluster>, ProviderError> {
    let call = "eks:DescribeCluster";
    match eks.describe_cluster().name(name).send().await.map_err(errors::reading(call)) {
        Ok(answer) => answer.cluster.map(Some).ok_or_else(|| errors::missing(call, "cluster")),
        Err(error) if errors::is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

pub(crate) fn tags_of(cluster: &Cluster) -> Tags {
    cluster.tags().into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// What is read, spelled as in the graph. A field that the service leaves out is left out here.
pub(super) fn observed(cluster: &Cluster, tags: &Tags, ownership: Ownership) -> Option<Observed> {
    let arn = cluster.arn()?;
    Some(Observed {
        physical_id: arn.to_owned(),
        ownership,
        status: status(cluster),
        attributes: attributes(cluster, tags),
        outputs: outputs(cluster),
    })
}

fn attributes(cluster: &Cluster, tags: &Tags) -> Attributes {
    let mut found = Attributes::from([("tags".to_owned(), tags::attribute(tags))]);
    let mut insert = |field: &str, value: Option<Value>| found.extend(value.map(|value| (field.to_owned(), value)));
    let text = |text: &str| Some(text).filter(|text| !text.is_empty()).map(Value::text);
    insert("name", cluster.name().and_then(text));
    insert("version", cluster.version().and_then(text));
    insert("role_arn", cluster.role_arn().and_then(text));
    if let Some(network) = cluster.resources_vpc_config() {
        insert("subnet_ids", Some(network.subnet_ids()).filter(|ids| !ids.is_empty()).map(Value::texts));
        insert("endpoint_private", Some(Value::Bool(network.endpoint_private_access())));
        insert("endpoint_public", Some(Value::Bool(network.endpoint_public_access())));
        let cidrs = Some(network.public_access_cidrs()).filter(|cidrs| !cidrs.is_empty());
        insert("public_access_cidrs", cidrs.map(sorted));
    }
    insert("logging", cluster.logging().map(enabled_logs));
    let mode = cluster.access_config().and_then(|config| config.authentication_mode());
    insert("authentication_mode", mode.map(|mode| Value::text(mode.as_str())));
    let support_type = cluster.upgrade_policy().and_then(|policy| policy.support_type());
    insert("support_type", support_type.map(|kind| Value::text(kind.as_str())));
    insert("deletion_protection", cluster.deletion_protection().map(Value::Bool));
    let services = cluster.kubernetes_network_config().and_then(|config| config.service_ipv4_cidr());
    insert("service_cidr", services.and_then(text));
    let key = cluster.encryption_config().iter().find_map(|config| config.provider()?.key_arn());
    insert("kms_key_arn", Some(Value::text(key.unwrap_or_default())));
    found
}

fn sorted(items: &[String]) -> Value {
    let mut items = items.to_vec();
    items.sort();
    Value::texts(items)
}

fn enabled_logs(logging: &Logging) -> Value {
    let setups = logging.cluster_logging().iter().filter(|setup| setup.enabled() == Some(true));
    let types: Vec<_> = setups.flat_map(LogSetup::types).map(|kind| kind.as_str().to_owned()).collect();
    sorted(&types)
}

fn outputs(cluster: &Cluster) -> Attributes {
    let security_group = cluster.resources_vpc_config().and_then(|network| network.cluster_security_group_id());
    let certificate = cluster.certificate_authority().and_then(|authority| authority.data());
    [
        ("name", cluster.name()),
        ("arn", cluster.arn()),
        ("endpoint", cluster.endpoint()),
        ("certificate_authority", certificate),
        ("security_group_id", security_group),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), Value::text(value?))))
    .collect()
}

fn issues(cluster: &Cluster) -> Vec<Issue> {
    Issue::of_clusters(cluster.health().map(ClusterHealth::issues).unwrap_or_default())
}

pub(crate) fn status(cluster: &Cluster) -> Status {
    let issues = issues(cluster);
    match cluster.status() {
        Some(ClusterStatus::Active) if issues.is_empty() => Status::Ready,
        Some(ClusterStatus::Active) => Status::Degraded { reason: health::describe(&issues) },
        Some(ClusterStatus::Deleting) => Status::Deleting,
        Some(ClusterStatus::Failed) => Status::Failed { reason: health::describe(&issues) },
        // Also every state that did not exist when this was written.
        Some(other) => Status::Pending { state: other.as_str().to_owned() },
        None => Status::Pending { state: "without a state".to_owned() },
    }
}

/// Asks whether a new cluster can be used.
pub(super) async fn poll_created(eks: &Client, ticket: &Ticket) -> Result<Progress, ProviderError> {
    let call = "eks:CreateCluster";
    let Some(cluster) = read(eks, eks_arn::cluster(&ticket.physical_id, call)?).await? else {
        return Ok(Progress::Pending { state: "not visible yet".to_owned() });
    };
    Ok(match status(&cluster) {
        Status::Ready | Status::Degraded { .. } => Progress::Settled { outputs: outputs(&cluster) },
        Status::Pending { state } => Progress::Pending { state: health::state(&state, &issues(&cluster)) },
        Status::Failed { .. } | Status::Deleting => {
            let state = cluster.status().map_or("FAILED", |status| status.as_str());
            Progress::Failed(health::failure(call, state, &issues(&cluster)))
        }
    })
}

/// Asks whether a cluster is gone.
pub(super) async fn poll_deleted(eks: &Client, ticket: &Ticket) -> Result<Progress, ProviderError> {
    let call = "eks:DeleteCluster";
    let Some(cluster) = read(eks, eks_arn::cluster(&ticket.physical_id, call)?).await? else {
        return Ok(Progress::Settled { outputs: Attributes::new() });
    };
    Ok(match cluster.status() {
        Some(ClusterStatus::Failed) => Progress::Failed(health::failure(call, "FAILED", &issues(&cluster))),
        status => Progress::Pending { state: status.map_or("DELETING", |status| status.as_str()).to_owned() },
    })
}

/// Makes the cluster.
pub(super) async fn create(
    eks: &Client,
    operation: &Operation,
    attributes: &Attributes,
) -> Result<Submitted, ProviderError> {
    let call = "eks:CreateCluster";
    let service_cidr = attributes.get("service_cidr").and_then(Value::as_text);
    let network = service_cidr.map(|cidr| KubernetesNetworkConfigRequest::builder().service_ipv4_cidr(cidr).build());
    let access = CreateAccessConfigRequest::builder()
        .authentication_mode(AuthenticationMode::from(text(attributes, "authentication_mode", call)?))
        // Who made the cluster gets an access entry like everybody else, which can be seen and taken away.
        .bootstrap_cluster_creator_admin_permissions(false)
        .build();
    let answer = eks
        .create_cluster()
        .name(text(attributes, "name", call)?)
        .version(text(attributes, "version", call)?)
        .role_arn(text(attributes, "role_arn", call)?)
        .resources_vpc_config(endpoint(attributes, call)?.set_subnet_ids(Some(texts(attributes, "subnet_ids"))).build())
        .set_kubernetes_network_config(network)
        .logging(logging(attributes, Unwanted::LeftOut))
        .access_config(access)
        // The add-ons are made by calls of their own; copies made by EKS would be in their way.
        .bootstrap_self_managed_addons(false)
        .upgrade_policy(support(attributes, call)?)
        .deletion_protection(boolean(attributes, "deletion_protection", call)?)
        .set_encryption_config(encryption(attributes))
        .set_tags(Some(tags::for_create(attributes, &operation.identity, &operation.resource).into_iter().collect()))
        .client_request_token(operation.token.as_str())
        .send()
        .await
        .map_err(errors::mutating(OperationVerb::Create, call))?;
    let arn = answer.cluster.and_then(|cluster| cluster.arn).ok_or_else(|| errors::created_without(call, "ARN"))?;
    Ok(accepted(operation, &arn, None))
}

/// Changes one thing about the cluster.
pub(super) async fn update(
    eks: &Client,
    operation: &Operation,
    arn: &str,
    update: &str,
    changes: &[FieldChange],
    attributes: &Attributes,
) -> Result<Submitted, ProviderError> {
    match update {
        call::UPDATE_VERSION => update_version(eks, operation, arn, changes).await,
        call::ASSOCIATE_ENCRYPTION => associate_encryption(eks, operation, arn, changes, attributes).await,
        other => update_config(eks, operation, arn, other, &with_changes(attributes, changes)).await,
    }
}

/// The wanted attributes with the changes of this call, which are what counts when a protection is taken off.
fn with_changes(attributes: &Attributes, changes: &[FieldChange]) -> Attributes {
    let changes = changes.iter().map(|change| (change.field.clone(), change.to.clone()));
    attributes.clone().into_iter().chain(changes).collect()
}

async fn update_config(
    eks: &Client,
    operation: &Operation,
    arn: &str,
    update: &str,
    wanted: &Attributes,
) -> Result<Submitted, ProviderError> {
    let call = "eks:UpdateClusterConfig";
    let request = eks.update_cluster_config().name(eks_arn::cluster(arn, call)?);
    let request = match update {
        call::UPDATE_SUBNETS => {
            let subnets = texts(wanted, "subnet_ids");
            request.resources_vpc_config(VpcConfigRequest::builder().set_subnet_ids(Some(subnets)).build())
        }
        call::UPDATE_ENDPOINT => request.resources_vpc_config(endpoint(wanted, call)?.build()),
        call::UPDATE_LOGGING => request.logging(logging(wanted, Unwanted::Disabled)),
        call::UPDATE_DELETION_PROTECTION => request.deletion_protection(boolean(wanted, "deletion_protection", call)?),
        call::UPDATE_SUPPORT_TYPE => request.upgrade_policy(support(wanted, call)?),
        call::UPDATE_AUTHENTICATION_MODE => {
            let mode = AuthenticationMode::from(text(wanted, "authentication_mode", call)?);
            request.access_config(UpdateAccessConfigRequest::builder().authentication_mode(mode).build())
        }
        other => return Err(errors::bug("submit", format!("a cluster has no call {other}"))),
    };
    let request = request.client_request_token(operation.token.as_str());
    match request.send().await.map_err(errors::mutating(OperationVerb::Update, call)) {
        Ok(answer) => Ok(accepted(operation, arn, answer.update.as_ref())),
        Err(error) if is_as_wanted(&error) => Ok(Submitted::settled(arn)),
        Err(error) => Err(error),
    }
}

/// Whether a change is refused because an earlier run has asked for it: while that is under way, the cluster shows the former value and
/// takes no other change, and afterwards nothing is left to change. The words are those of field reports
/// (<https://github.com/eksctl-io/eksctl/issues/4043>); the code alone is that of every wrong parameter.
fn is_as_wanted(error: &ProviderError) -> bool {
    let words = ["already at the desired configuration", "No changes needed"];
    error.code.as_deref() == Some("InvalidParameterException")
        && words.iter().any(|words| error.message.contains(words))
}

async fn update_version(
    eks: &Client,
    operation: &Operation,
    arn: &str,
    changes: &[FieldChange],
) -> Result<Submitted, ProviderError> {
    let call = "eks:UpdateClusterVersion";
    // The change names the version that this call goes to.
    let version = changes.iter().find(|change| change.field == "version").and_then(|change| change.to.as_text());
    let version = version.ok_or_else(|| errors::bug(call, "no version was given"))?;
    let name = eks_arn::cluster(arn, call)?;
    let request = eks.update_cluster_version().name(name).version(version);
    let request = request.client_request_token(operation.token.as_str());
    match request.send().await.map_err(errors::mutating(OperationVerb::Update, call)) {
        Ok(answer) => Ok(accepted(operation, arn, answer.update.as_ref())),
        // An update that an earlier run began shows the former version until it is done; it was planned again before.
        Err(error) if matches!(error.kind, ErrorKind::Invalid { .. }) => {
            // When nobody can look, the refusal is still what there is to tell.
            let present = read(eks, name).await.ok().flatten();
            if present.as_ref().and_then(Cluster::version) == Some(version) {
                return Ok(Submitted::settled(arn));
            }
            Err(error)
        }
        Err(error) => Err(error),
    }
}

async fn associate_encryption(
    eks: &Client,
    operation: &Operation,
    arn: &str,
    changes: &[FieldChange],
    attributes: &Attributes,
) -> Result<Submitted, ProviderError> {
    let call = "eks:AssociateEncryptionConfig";
    let has_key =
        |change: &FieldChange| change.from.as_ref().and_then(Value::as_text).is_some_and(|key| !key.is_empty());
    if changes.iter().any(has_key) {
        let kind = ErrorKind::Invalid { field: Some("kms_key".to_owned()) };
        return Err(ProviderError::new(kind, call, "the key of a cluster cannot be changed once it has one")
            .with_hint("set eks.kms_key back to the present key, or make a new cluster"));
    }
    let answer = eks
        .associate_encryption_config()
        .cluster_name(eks_arn::cluster(arn, call)?)
        .set_encryption_config(Some(encryption(attributes).unwrap_or_default()))
        .client_request_token(operation.token.as_str())
        .send()
        .await
        .map_err(errors::mutating(OperationVerb::Update, call))?;
    Ok(accepted(operation, arn, answer.update.as_ref()))
}

/// Removes the cluster.
pub(super) async fn delete(eks: &Client, operation: &Operation, arn: &str) -> Result<Submitted, ProviderError> {
    let call = "eks:DeleteCluster";
    let request = eks.delete_cluster().name(eks_arn::cluster(arn, call)?);
    request.send().await.map_err(errors::mutating(OperationVerb::Delete, call))?;
    Ok(accepted(operation, arn, None))
}

fn endpoint(
    attributes: &Attributes,
    call: &str,
) -> Result<aws_sdk_eks::types::builders::VpcConfigRequestBuilder, ProviderError> {
    let is_public = boolean(attributes, "endpoint_public", call)?;
    let cidrs = Some(texts(attributes, "public_access_cidrs")).filter(|cidrs| is_public && !cidrs.is_empty());
    Ok(VpcConfigRequest::builder()
        .endpoint_public_access(is_public)
        .endpoint_private_access(boolean(attributes, "endpoint_private", call)?)
        .set_public_access_cidrs(cidrs))
}

/// What to say about logs that are not wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unwanted {
    /// Nothing: they are off in a new cluster.
    LeftOut,
    /// That they are turned off.
    Disabled,
}

fn logging(attributes: &Attributes, unwanted: Unwanted) -> Logging {
    let wanted = texts(attributes, "logging");
    let setup = |enabled: bool| {
        let types: Vec<_> =
            LOG_TYPES.into_iter().filter(|kind| wanted.iter().any(|name| name == kind.as_str()) == enabled).collect();
        (!types.is_empty()).then(|| LogSetup::builder().enabled(enabled).set_types(Some(types)).build())
    };
    let disabled = if unwanted == Unwanted::Disabled { setup(false) } else { None };
    Logging::builder().set_cluster_logging(Some(setup(true).into_iter().chain(disabled).collect())).build()
}

fn support(attributes: &Attributes, call: &str) -> Result<UpgradePolicyRequest, ProviderError> {
    let support = SupportType::from(text(attributes, "support_type", call)?);
    Ok(UpgradePolicyRequest::builder().support_type(support).build())
}

#[expect(deprecated, reason = "current servers ignore `resources`, and those that do not ignore it demand it")]
fn encryption(attributes: &Attributes) -> Option<Vec<EncryptionConfig>> {
    let key = attributes.get("kms_key_arn").and_then(Value::as_text)?;
    let provider = Provider::builder().key_arn(key).build();
    Some(vec![EncryptionConfig::builder().resources("secrets").provider(provider).build()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_as_wanted_already_is_taken_for_done() {
        let refused = |code: &str, message: &str| {
            let mut error = ProviderError::new(ErrorKind::Bug, "eks:UpdateClusterConfig", message);
            error.code = Some(code.to_owned());
            is_as_wanted(&error)
        };
        let words = "Cluster is already at the desired configuration with endpointPrivateAccess: true";
        assert!(refused("InvalidParameterException", words));
        assert!(refused("InvalidParameterException", "No changes needed for the logging config provided"));
        assert!(!refused("InvalidParameterException", "The subnet ID 'subnet-1' does not exist"));
        assert!(!refused("ResourceInUseException", words));
    }
}
