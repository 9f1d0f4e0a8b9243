//! The way to the Kubernetes API for this program itself, without a helper program.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use howso_infra_core::spec::ClusterSpec;
use howso_infra_core::{Connection, Credential, Ownership, ProviderError, Status};

use crate::clients::Clients;
use crate::control_plane::cluster;
use crate::tags;
use crate::token;

/// Asks for the cluster and signs a token. A cluster that is not ours is not connected to.
pub(crate) async fn connect(clients: &Clients, spec: &ClusterSpec) -> Result<Option<Connection>, ProviderError> {
    let (name, region) = (spec.name.as_str(), spec.location.as_str());
    let Some(found) = cluster::read(&clients.eks, name).await? else { return Ok(None) };
    let owner = tags::ownership(&cluster::tags_of(&found), name, None);
    let is_ours = matches!(owner, Ownership::Ours { .. });
    let is_usable = !matches!(cluster::status(&found), Status::Deleting | Status::Failed { .. });
    let server = found.endpoint().filter(|endpoint| !endpoint.is_empty());
    let authority = found.certificate_authority().and_then(|authority| authority.data());
    let (Some(server), Some(authority)) = (server, authority.filter(|authority| is_certificate(authority))) else {
        return Ok(None);
    };
    if !(is_ours && is_usable) {
        return Ok(None);
    }
    let credentials = clients.credentials().await?;
    let token = token::sign(&credentials, region, name)?;
    Ok(Some(Connection {
        server: server.to_owned(),
        certificate_authority: authority.to_owned(),
        owner,
        credential: Credential::Token { token, lifetime: Some(token::LIFETIME) },
    }))
}

/// Whether a text is a certificate at all. Without one there is nothing to trust; servers that only imitate EKS have none.
fn is_certificate(authority: &str) -> bool {
    STANDARD.decode(authority).is_ok_and(|pem| pem.starts_with(b"-----BEGIN CERTIFICATE-----"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_certificate_is_trusted() {
        assert!(is_certificate(&STANDARD.encode("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")));
        for other in ["", "MOCK", &STANDARD.encode("MOCK-CA-CERTIFICATE")] {
            assert!(!is_certificate(other), "{other}");
        }
    }
}
