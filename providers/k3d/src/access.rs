//! How to reach the Kubernetes API.

use howso_infra_core::provider::{Access, KubeconfigUser};
use howso_infra_core::{Connection, Credential, Observation, ProviderError, Status, Value};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

use crate::errors::bug;
use crate::graph::cluster_id;
use crate::observe::Observing;
use crate::program::Program;

/// The parts of the kubeconfig that k3d prints.
#[derive(Deserialize)]
struct Kubeconfig {
    clusters: Vec<NamedCluster>,
    users: Vec<NamedUser>,
}

#[derive(Deserialize)]
struct NamedCluster {
    cluster: Cluster,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Cluster {
    server: String,
    certificate_authority_data: String,
}

#[derive(Deserialize)]
struct NamedUser {
    user: User,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct User {
    client_certificate_data: String,
    #[serde(deserialize_with = "secret")]
    client_key_data: SecretString,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

/// Tells how to reach the cluster from this program, and whose it is; [`None`] while it does not run.
pub(crate) async fn connect(observing: Observing<'_>) -> Result<Option<Connection>, ProviderError> {
    let observation = observing.all().await?;
    let Some(found) = observation.one(&cluster_id()) else { return Ok(None) };
    let Some(access) = access(observing.program, observing.cluster, &observation).await? else { return Ok(None) };
    let KubeconfigUser::ClientCertificate { certificate, key } = access.user else { return Ok(None) };
    Ok(Some(Connection {
        server: access.server,
        certificate_authority: access.certificate_authority,
        owner: found.ownership.clone(),
        credential: Credential::Certificate { certificate, key },
    }))
}

/// Tells how to reach the cluster; [`None`] while it does not run.
pub(crate) async fn access(
    program: &Program,
    cluster: &str,
    observation: &Observation,
) -> Result<Option<Access>, ProviderError> {
    let Some(found) = observation.one(&cluster_id()) else { return Ok(None) };
    let is_running = found.attributes.get("running").and_then(Value::as_bool) == Some(true);
    if found.status != Status::Ready || !is_running {
        return Ok(None);
    }
    let text = SecretString::from(program.ask(&["kubeconfig", "get", cluster]).await?);
    parse(&text, cluster).map(Some)
}

fn parse(text: &SecretString, cluster: &str) -> Result<Access, ProviderError> {
    use secrecy::ExposeSecret;
    // The reader's own message might quote the key.
    let unreadable = || bug("k3d kubeconfig get", "the kubeconfig cannot be read");
    let kubeconfig: Kubeconfig = serde_saphyr::from_str(text.expose_secret()).map_err(|_| unreadable())?;
    let reached = kubeconfig.clusters.into_iter().next().ok_or_else(unreadable)?.cluster;
    let user = kubeconfig.users.into_iter().next().ok_or_else(unreadable)?.user;
    Ok(Access {
        server: reached.server,
        certificate_authority: reached.certificate_authority_data,
        context: format!("k3d-{cluster}"),
        user: KubeconfigUser::ClientCertificate {
            certificate: user.client_certificate_data,
            key: user.client_key_data,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_k3d_prints_becomes_access_and_shows_no_key() {
        let text = "apiVersion: v1\nkind: Config\npreferences: {}\ncurrent-context: k3d-a\n\
                    clusters:\n- name: k3d-a\n  cluster:\n    server: https://127.0.0.1:6550\n    certificate-authority-data: Y2E=\n\
                    contexts:\n- name: k3d-a\n  context: {cluster: k3d-a, user: admin@k3d-a}\n\
                    users:\n- name: admin@k3d-a\n  user:\n    client-certificate-data: Y2VydA==\n    client-key-data: a2V5\n";
        let access = parse(&text.to_owned().into(), "a").unwrap();
        assert_eq!((access.server.as_str(), access.context.as_str()), ("https://127.0.0.1:6550", "k3d-a"));
        assert!(
            matches!(&access.user, KubeconfigUser::ClientCertificate { certificate, .. } if certificate == "Y2VydA==")
        );
        assert!(!format!("{access:?}").contains("a2V5"));
        let error = parse(&text.replace("client-key-data", "client-kye-data").into(), "a").unwrap_err();
        assert!(!error.to_string().contains("a2V5"));
    }
}
