//! Reads the cluster and, when it is ours, what hangs on it.

use howso_infra_core::{Gap, Observation, Ownership, ProviderError, ResourceId, ScopeKinds};

use crate::clients::Clients;
use crate::context::{ObserveContext, Wanted};
use crate::control_plane::kinds::{ACCESS_ENTRY, ACCESS_POLICY, ADDON, CLUSTER, KINDS, POD_IDENTITY_ASSOCIATION};
use crate::control_plane::{access, addons, cluster, pod_identity};
use crate::pools::{AUTOSCALING_TAGS, NODEGROUP};
use crate::{errors, tags};

/// The cluster as far as it matters for reading what hangs on it.
#[derive(Clone, Debug)]
pub(crate) enum ClusterState {
    /// There is one of ours, with this ARN.
    Ours(String),
    /// There is none, or a stranger's: nothing of ours hangs on it.
    NotOurs,
    /// It could not be read.
    Unknown(ProviderError),
}

/// Reads the cluster, when it or anything that hangs on it is wanted.
pub(crate) async fn observe_cluster(
    clients: &Clients,
    context: &ObserveContext<'_>,
    kinds: &ScopeKinds,
) -> (Observation, ClusterState) {
    let on_cluster = KINDS.iter().map(|kind| kind.name).chain([NODEGROUP, AUTOSCALING_TAGS]);
    if !on_cluster.into_iter().any(|kind| kinds.includes(&[kind])) {
        return (Observation::default(), ClusterState::NotOurs);
    }
    match read_cluster(clients, context).await {
        Ok((observation, Some(arn))) => (observation, ClusterState::Ours(arn)),
        Ok((observation, None)) => (observation, ClusterState::NotOurs),
        Err(error) => {
            let kinds = KINDS.iter().map(|kind| kind.name.to_owned()).collect();
            let observation = Observation { gaps: vec![Gap { kinds, error: error.clone() }], ..Observation::default() };
            (observation, ClusterState::Unknown(error))
        }
    }
}

/// Reads what hangs on the cluster, but for its node groups.
pub(crate) async fn observe_parts(
    clients: &Clients,
    context: &ObserveContext<'_>,
    cluster: &ClusterState,
    kinds: &ScopeKinds,
) -> Observation {
    const ACCESS: &[&str] = &[ACCESS_ENTRY, ACCESS_POLICY];
    let mut observation = Observation::default();
    let ClusterState::Ours(cluster_arn) = cluster else { return observation };
    let reader = Reader { clients, context, cluster_arn };
    let (entries, addons, associations) = futures::join!(
        if_wanted(kinds, ACCESS, reader.access_entries()),
        if_wanted(kinds, &[ADDON], reader.addons()),
        if_wanted(kinds, &[POD_IDENTITY_ASSOCIATION], reader.pod_identity_associations()),
    );
    let parts: [(&[&str], _); 3] = [(ACCESS, entries), (&[ADDON], addons), (&[POD_IDENTITY_ASSOCIATION], associations)];
    for (kinds, found) in parts {
        match found {
            Ok(found) => observation.merge(found),
            Err(error) if errors::is_without_api(&error) => {}
            Err(error) => {
                let kinds = kinds.iter().map(|kind| (*kind).to_owned()).collect();
                observation.gaps.push(Gap { kinds, error });
            }
        }
    }
    observation
}

async fn if_wanted(
    wanted: &ScopeKinds,
    kinds: &[&str],
    read: impl Future<Output = Result<Observation, ProviderError>>,
) -> Result<Observation, ProviderError> {
    if wanted.includes(kinds) { read.await } else { Ok(Observation::default()) }
}

/// Whether the server knows access entries at all. A cluster need not exist for that.
pub(crate) async fn has_access_entries(clients: &Clients, cluster: &str) -> Result<bool, ProviderError> {
    match access::principals(&clients.eks, cluster).await {
        Ok(_) => Ok(true),
        Err(error) if errors::is_gone(&error) => Ok(true),
        Err(error) if errors::is_without_api(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Reads one resource.
pub(crate) async fn observe_one(
    clients: &Clients,
    context: &ObserveContext<'_>,
    wanted: Wanted<'_>,
) -> Result<Observation, ProviderError> {
    if wanted.id.kind() == CLUSTER {
        return Ok(read_cluster(clients, context).await?.0);
    }
    let call = "eks:Describe";
    let cluster_arn = wanted.attributes.get("cluster_arn").and_then(howso_infra_core::Value::as_text);
    let cluster_arn = cluster_arn.ok_or_else(|| errors::bug(call, format!("{} names no cluster", wanted.id)))?;
    let reader = Reader { clients, context, cluster_arn };
    let found = match wanted.id.kind() {
        ACCESS_ENTRY | ACCESS_POLICY => reader.wanted_access_entry(wanted).await,
        ADDON => reader.addon(wanted.id.name()).await,
        POD_IDENTITY_ASSOCIATION => reader.pod_identity_associations().await,
        other => Err(errors::bug(call, format!("{other} is not of this area"))),
    };
    let mut observation = match found {
        Ok(found) => found,
        // Without its cluster there is nothing.
        Err(error) if errors::is_gone(&error) => Observation::default(),
        Err(error) => return Err(error),
    };
    observation.resources.retain(|id, _| id == wanted.id);
    Ok(observation)
}

/// Reads the cluster, and returns its ARN when it is ours.
async fn read_cluster(
    clients: &Clients,
    context: &ObserveContext<'_>,
) -> Result<(Observation, Option<String>), ProviderError> {
    let mut observation = Observation::default();
    let Some(found) = cluster::read(&clients.eks, context.cluster()).await? else { return Ok((observation, None)) };
    let tags = cluster::tags_of(&found);
    let ownership = tags::ownership(&tags, context.cluster(), context.deployment);
    let is_ours = matches!(ownership, Ownership::Ours { .. });
    let observed = cluster::observed(&found, &tags, ownership);
    let observed = observed.ok_or_else(|| errors::missing("eks:DescribeCluster", "ARN"))?;
    let arn = is_ours.then(|| observed.physical_id.clone());
    observation.insert(cluster::cluster_id(), observed);
    Ok((observation, arn))
}

/// What every read of a part of the cluster needs.
struct Reader<'a> {
    clients: &'a Clients,
    context: &'a ObserveContext<'a>,
    cluster_arn: &'a str,
}

impl Reader<'_> {
    fn ownership(&self, tags: &tags::Tags) -> Ownership {
        tags::ownership(tags, self.context.cluster(), self.context.deployment)
    }

    async fn access_entries(&self) -> Result<Observation, ProviderError> {
        let principals = access::principals(&self.clients.eks, self.context.cluster()).await?;
        let reads = principals.iter().map(|principal| self.access_entry(principal, None));
        Ok(merged(futures::future::try_join_all(reads).await?))
    }

    async fn wanted_access_entry(&self, wanted: Wanted<'_>) -> Result<Observation, ProviderError> {
        let call = "eks:DescribeAccessEntry";
        let principal = crate::fields::text(wanted.attributes, "principal_arn", call)?;
        self.access_entry(principal, Some(wanted.id.name())).await
    }

    /// Reads an entry and, when it is ours, its policy. Entries of others matter only when they stand on a wanted name.
    async fn access_entry(&self, principal: &str, name: Option<&str>) -> Result<Observation, ProviderError> {
        let mut observation = Observation::default();
        let eks = &self.clients.eks;
        let Some(entry) = access::read(eks, self.context.cluster(), principal).await? else { return Ok(observation) };
        let tags = access::tags_of(&entry);
        let ownership = self.ownership(&tags);
        let tagged = tags::resource_id(&tags, ACCESS_ENTRY).map(|id| id.name().to_owned());
        let is_admin = self.context.options.admins.iter().any(|admin| admin == principal);
        let fallback = || name.map(str::to_owned).or_else(|| is_admin.then(|| access::admin_name(principal)));
        let Some(name) = tagged.or_else(fallback) else { return Ok(observation) };
        if matches!(ownership, Ownership::Ours { .. })
            && let Some(policy) = access::read_policy(eks, self.context.cluster(), principal).await?
            && let Some(found) = access::observed_policy(&policy, principal, self.cluster_arn, ownership.clone())
        {
            observation.insert(ResourceId::new(ACCESS_POLICY, name.clone()), found);
        }
        if let Some(found) = access::observed(&entry, &tags, self.cluster_arn, ownership) {
            observation.insert(ResourceId::new(ACCESS_ENTRY, name), found);
        }
        Ok(observation)
    }

    async fn addons(&self) -> Result<Observation, ProviderError> {
        let names = addons::names(&self.clients.eks, self.context.cluster()).await?;
        let reads = names.iter().map(|name| self.addon(name));
        Ok(merged(futures::future::try_join_all(reads).await?))
    }

    async fn addon(&self, name: &str) -> Result<Observation, ProviderError> {
        let mut observation = Observation::default();
        let Some(addon) = addons::read(&self.clients.eks, self.context.cluster(), name).await? else {
            return Ok(observation);
        };
        let tags = addons::tags_of(&addon);
        let observed = addons::observed(&addon, &tags, self.cluster_arn, self.ownership(&tags));
        let observed = observed.ok_or_else(|| errors::missing("eks:DescribeAddon", "ARN"))?;
        observation.insert(ResourceId::new(ADDON, name), observed);
        Ok(observation)
    }

    async fn pod_identity_associations(&self) -> Result<Observation, ProviderError> {
        let mut observation = Observation::default();
        for association in pod_identity::read_all(&self.clients.eks, self.context.cluster()).await? {
            let names = association.namespace().zip(association.service_account());
            let Some(name) = names.and_then(|(namespace, account)| pod_identity::name_of(namespace, account)) else {
                continue;
            };
            let tags = pod_identity::tags_of(&association);
            let observed = pod_identity::observed(&association, &tags, self.cluster_arn, self.ownership(&tags));
            let observed = observed.ok_or_else(|| errors::missing("eks:DescribePodIdentityAssociation", "ARN"))?;
            observation.insert(ResourceId::new(POD_IDENTITY_ASSOCIATION, name), observed);
        }
        Ok(observation)
    }
}

fn merged(parts: Vec<Observation>) -> Observation {
    let mut all = Observation::default();
    for part in parts {
        all.merge(part);
    }
    all
}
