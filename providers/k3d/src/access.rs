//! How to reach the Kubernetes API.

use futures::future::try_join;
use howso_infra_core::provider::{Access, KubeconfigUser};
use howso_infra_core::{Connection, Credential, Observation, ProviderError, Status, Value};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

use crate::config_file;
use crate::docker::Docker;
use crate::errors::bug;
use crate::graph::cluster_id;
use crate::observe::Observing;

/// Where the server writes its kubeconfig, because k3d tells it to.
const KUBECONFIG: &str = "/output/kubeconfig.yaml";
/// The labels in which k3d notes where the API is reached from outside.
const API_HOST: &str = "k3d.server.api.host";
const API_PORT: &str = "k3d.server.api.port";

/// The parts of the kubeconfig that the server writes; the address in it is good only inside the server.
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
    let Some(access) = access(observing.docker, observing.cluster, &observation).await? else { return Ok(None) };
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
    docker: &Docker,
    cluster: &str,
    observation: &Observation,
) -> Result<Option<Access>, ProviderError> {
    let Some(found) = observation.one(&cluster_id()) else { return Ok(None) };
    let is_running = found.attributes.get("running").and_then(Value::as_bool) == Some(true);
    if found.status != Status::Ready || !is_running {
        return Ok(None);
    }
    // As `k3d kubeconfig get` does it, without another program.
    let call = "docker:ContainerArchive";
    let server = config_file::container(cluster, "server", 0);
    let (found, file) = try_join(docker.inspect(&server), docker.read_file(&server, KUBECONFIG)).await?;
    let labels = found.and_then(|found| found.config?.labels).unwrap_or_default();
    let (Some(host), Some(port), Some(file)) = (labels.get(API_HOST), labels.get(API_PORT), file) else {
        return Err(bug(call, format!("{server} does not tell where its API is, or has no kubeconfig")));
    };
    let text = String::from_utf8(file).map_err(|_| unreadable())?;
    parse(&SecretString::from(text), format!("https://{host}:{port}"), cluster).map(Some)
}

/// The reader's own message might quote the key.
fn unreadable() -> ProviderError {
    bug("docker:ContainerArchive", "the kubeconfig of the server cannot be read")
}

fn parse(text: &SecretString, server: String, cluster: &str) -> Result<Access, ProviderError> {
    use secrecy::ExposeSecret;
    let kubeconfig: Kubeconfig = serde_saphyr::from_str(text.expose_secret()).map_err(|_| unreadable())?;
    let reached = kubeconfig.clusters.into_iter().next().ok_or_else(unreadable)?.cluster;
    let user = kubeconfig.users.into_iter().next().ok_or_else(unreadable)?.user;
    Ok(Access {
        server,
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
    fn what_the_server_writes_becomes_access_and_shows_no_key() {
        let text = "apiVersion: v1\nkind: Config\npreferences: {}\ncurrent-context: default\n\
                    clusters:\n- name: default\n  cluster:\n    server: https://127.0.0.1:6443\n    certificate-authority-data: Y2E=\n\
                    contexts:\n- name: default\n  context: {cluster: default, user: default}\n\
                    users:\n- name: default\n  user:\n    client-certificate-data: Y2VydA==\n    client-key-data: a2V5\n";
        let parse = |text: &str| parse(&text.to_owned().into(), "https://127.0.0.1:6550".to_owned(), "a");
        let access = parse(text).unwrap();
        assert_eq!((access.server.as_str(), access.context.as_str()), ("https://127.0.0.1:6550", "k3d-a"));
        assert!(
            matches!(&access.user, KubeconfigUser::ClientCertificate { certificate, .. } if certificate == "Y2VydA==")
        );
        assert!(!format!("{access:?}").contains("a2V5"));
        let error = parse(&text.replace("client-key-data", "client-kye-data")).unwrap_err();
        assert!(!error.to_string().contains("a2V5"));
    }
}
