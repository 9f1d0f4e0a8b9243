//! Tokens by which EKS knows its callers: a signed question to STS who they are, which the control plane asks in their place.
//!
//! Format: <https://github.com/kubernetes-sigs/aws-iam-authenticator>, "API Authorization from Outside a Cluster".

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign as sign_request,
};
use aws_sigv4::sign::v4;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use howso_infra_core::{ErrorKind, ProviderError};
use secrecy::SecretString;

/// How long a token can be used. The control plane takes it for 15 minutes after it was signed; every tool stops a minute before.
pub(crate) const LIFETIME: Duration = Duration::from_mins(14);

const PREFIX: &str = "k8s-aws-v1.";

/// The header that ties a token to one cluster.
const CLUSTER_HEADER: &str = "x-k8s-aws-id";

/// How long the signed question itself is valid, as in every tool of AWS.
const EXPIRY: Duration = Duration::from_mins(1);

/// Signs a token for one cluster now.
pub(crate) fn sign(credentials: &Credentials, region: &str, cluster: &str) -> Result<SecretString, ProviderError> {
    sign_at(credentials, region, cluster, SystemTime::now())
}

fn sign_at(
    credentials: &Credentials,
    region: &str,
    cluster: &str,
    now: SystemTime,
) -> Result<SecretString, ProviderError> {
    // What a signer complains about could hold what it signs.
    let failed = || ProviderError::new(ErrorKind::Bug, "sign a token for the Kubernetes API", "it could not be signed");
    let url = format!("https://{}/?Action=GetCallerIdentity&Version=2011-06-15", host(region));
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(EXPIRY);
    let identity = credentials.clone().into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("sts")
        .time(now)
        .settings(settings)
        .build()
        .map_err(|_| failed())?
        .into();
    let headers = std::iter::once((CLUSTER_HEADER, cluster));
    let request = SignableRequest::new("GET", &url, headers, SignableBody::Bytes(&[])).map_err(|_| failed())?;
    let (instructions, _) = sign_request(request, &params).map_err(|_| failed())?.into_parts();
    let mut request = http::Request::get(&url).body(()).map_err(|_| failed())?;
    instructions.apply_to_request_http1x(&mut request);
    let encoded = URL_SAFE_NO_PAD.encode(request.uri().to_string());
    Ok(SecretString::from(format!("{PREFIX}{encoded}")))
}

/// The regional host of STS; the control plane asks no other.
fn host(region: &str) -> String {
    let suffix = match region {
        region if region.starts_with("cn-") => "amazonaws.com.cn",
        region if region.starts_with("us-isob-") => "sc2s.sgov.gov",
        region if region.starts_with("us-iso-") => "c2s.ic.gov",
        region if region.starts_with("eusc-") => "amazonaws.eu",
        _ => "amazonaws.com",
    };
    format!("sts.{region}.{suffix}")
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn url(session: Option<&str>) -> String {
        let credentials = Credentials::new("AKIATEST", "secret", session.map(str::to_owned), None, "test");
        let now = SystemTime::UNIX_EPOCH + Duration::from_hours(490_000);
        let token = sign_at(&credentials, "us-east-1", "demo", now).unwrap();
        let encoded = token.expose_secret().strip_prefix(PREFIX).unwrap();
        String::from_utf8(URL_SAFE_NO_PAD.decode(encoded).unwrap()).unwrap()
    }

    /// The signature was computed with botocore's `SigV4QueryAuth` from the same input.
    #[test]
    fn a_token_is_the_question_that_the_authenticator_expects() {
        insta::assert_snapshot!(url(None).replace('&', "\n"), @r"
        https://sts.us-east-1.amazonaws.com/?Action=GetCallerIdentity
        Version=2011-06-15
        X-Amz-Algorithm=AWS4-HMAC-SHA256
        X-Amz-Credential=AKIATEST%2F20251124%2Fus-east-1%2Fsts%2Faws4_request
        X-Amz-Date=20251124T160000Z
        X-Amz-Expires=60
        X-Amz-SignedHeaders=host%3Bx-k8s-aws-id
        X-Amz-Signature=3435f00061ad808d3f5b44faa8956cfb7b630302ea294bfe35ee179441f006b5
        ");
    }

    #[test]
    fn a_session_is_part_of_the_question() {
        assert!(
            url(Some("session/token")).contains("X-Amz-Security-Token=session%2Ftoken"),
            "{}",
            url(Some("session/token"))
        );
    }

    #[test]
    fn the_host_is_that_of_the_partition() {
        assert_eq!(host("eu-central-1"), "sts.eu-central-1.amazonaws.com");
        assert_eq!(host("cn-north-1"), "sts.cn-north-1.amazonaws.com.cn");
        assert_eq!(host("us-gov-west-1"), "sts.us-gov-west-1.amazonaws.com");
    }
}
