//! Who is asking, and in which account.

use howso_infra_core::{ProviderError, ResourceId, Value};

use super::{Notes, Survey};
use crate::{control_plane, errors};

/// The account, and the role or user who makes the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) account: String,
    pub(super) partition: String,
    pub(super) creator_arn: Option<String>,
}

/// A caller as STS names it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Caller<'a> {
    /// The root user of the account.
    Root,
    /// A session of a role, known here by its name alone.
    Role(&'a str),
    /// A user, or what else IAM knows by this very ARN.
    Other,
}

impl Survey<'_> {
    /// Takes from the observed cluster what it tells, and asks STS for the rest.
    pub(super) async fn identity(&self) -> Result<(Identity, Notes), ProviderError> {
        let cluster = self.observation.one(&ResourceId::new("eks/cluster", "main"));
        let home = cluster.and_then(|cluster| home(&cluster.physical_id));
        let creator = self.observation.one(&ResourceId::new("eks/access-entry", "creator"));
        let creator_arn = creator.and_then(|entry| entry.attributes.get("principal_arn")).and_then(Value::as_text);
        if let (Some((partition, account)), Some(creator_arn)) = (&home, creator_arn) {
            let (account, partition) = (account.clone(), partition.clone());
            return Ok((Identity { account, partition, creator_arn: Some(creator_arn.to_owned()) }, Notes::default()));
        }
        let arn = self.caller_arn().await?;
        let missing = || errors::missing("sts:GetCallerIdentity", "account");
        let (partition, account) = home.or_else(|| self::home(&arn)).ok_or_else(missing)?;
        let mut notes = Notes::default();
        let creator_arn = match (creator_arn, caller(&arn)) {
            (Some(creator_arn), _) => Some(creator_arn.to_owned()),
            (None, _) if !self.has_access_entries().await? => {
                notes.warnings.push(
                    "this server has no access entries, so nobody is made an administrator of the cluster".to_owned(),
                );
                None
            }
            (None, Caller::Other) => Some(arn),
            (None, Caller::Role(name)) => Some(self.role_arn(name, &partition, &account).await?),
            (None, Caller::Root) => {
                notes.warnings.push(
                    "the root user of an account cannot administrate a cluster; use a role or user, or name administrators in \
                     eks.admins"
                        .to_owned(),
                );
                None
            }
        };
        Ok((Identity { account, partition, creator_arn }, notes))
    }

    /// Whether the server has access entries; who may not ask is taken to have them.
    async fn has_access_entries(&self) -> Result<bool, ProviderError> {
        let answer = control_plane::has_access_entries(self.clients, self.spec.name.as_str()).await;
        Ok(super::optional(answer)?.unwrap_or(true))
    }

    async fn caller_arn(&self) -> Result<String, ProviderError> {
        let call = "sts:GetCallerIdentity";
        let answer = self.clients.sts.get_caller_identity().send().await.map_err(errors::reading(call))?;
        answer.arn.ok_or_else(|| errors::missing(call, "ARN"))
    }

    /// The ARN of a role with its path, which STS leaves out. Without permission to ask, a role without path is assumed.
    async fn role_arn(&self, name: &str, partition: &str, account: &str) -> Result<String, ProviderError> {
        let call = "iam:GetRole";
        let answer = self.clients.iam.get_role().role_name(name).send().await.map_err(errors::reading(call));
        let arn = super::optional(answer)?.ok().and_then(|answer| answer.role).map(|role| role.arn);
        Ok(arn.unwrap_or_else(|| format!("arn:{partition}:iam::{account}:role/{name}")))
    }
}

/// The partition and the account of an ARN.
fn home(arn: &str) -> Option<(String, String)> {
    let mut parts = arn.split(':');
    let ("arn", partition) = (parts.next()?, parts.next()?) else { return None };
    let account = parts.nth(2)?;
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    is_account.then(|| (partition.to_owned(), account.to_owned()))
}

fn caller(arn: &str) -> Caller<'_> {
    let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
    match resource.split('/').collect::<Vec<_>>().as_slice() {
        ["root"] => Caller::Root,
        ["assumed-role", name, ..] => Caller::Role(name),
        _ => Caller::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_of_a_role_is_known_by_the_role() {
        assert_eq!(caller("arn:aws:sts::123456789012:assumed-role/Deployer/ci-17"), Caller::Role("Deployer"));
        assert_eq!(caller("arn:aws:iam::123456789012:user/team/ann"), Caller::Other);
        assert_eq!(caller("arn:aws:iam::123456789012:root"), Caller::Root);
    }

    #[test]
    fn partition_and_account_come_from_an_arn() {
        let home_of = |arn| home(arn).map(|(partition, account)| format!("{partition} {account}"));
        assert_eq!(
            home_of("arn:aws-cn:eks:cn-north-1:123456789012:cluster/demo").as_deref(),
            Some("aws-cn 123456789012")
        );
        assert_eq!(home_of("arn:aws:iam::aws:policy/AmazonEKSClusterPolicy"), None);
        assert_eq!(home_of("demo"), None);
    }
}
