//! The SDK clients: one HTTP client, one credentials cache, no retries.

use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_sts::config::SharedHttpClient;
use aws_smithy_http_client::tls::Provider as TlsProvider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use howso_infra_core::ProviderError;
use howso_infra_core::spec::ClusterSpec;

use crate::credentials::CredentialsSource;
use crate::errors;

/// How connections are encrypted.
pub(crate) const TLS: TlsProvider = TlsProvider::Rustls(CryptoMode::AwsLc);

/// The longest time to wait for a connection; a region that answers at all answers within a fraction of it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest time in which credentials are found, as long as every SDK of AWS has for it.
const CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(5);

/// Where an emulated AWS answers, instead of AWS.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint(pub(crate) String);

/// The services that are called. Cloning is cheap.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    pub(crate) autoscaling: aws_sdk_autoscaling::Client,
    pub(crate) ec2: aws_sdk_ec2::Client,
    pub(crate) eks: aws_sdk_eks::Client,
    pub(crate) iam: aws_sdk_iam::Client,
    pub(crate) quotas: aws_sdk_servicequotas::Client,
    pub(crate) sts: aws_sdk_sts::Client,
    /// The profile of the AWS configuration that was chosen by the environment, for other programs to choose the same.
    pub(crate) profile: Option<String>,
    credentials: Option<CredentialsSource>,
}

impl Clients {
    /// Prepares the clients by the standard AWS chain (environment, profiles, SSO, web identity, container, IMDS) and the
    /// standard endpoint variables. Reads files and the environment as every AWS tool does, and sends no request.
    pub(crate) async fn open(spec: &ClusterSpec, endpoint: Option<&Endpoint>) -> Self {
        let loader = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(spec.location.as_str().to_owned()))
            // The engine has the only retry policy.
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts(spec.engine.request_timeout))
            // More than the source itself has, so that it is the source that gives up.
            .identity_cache(IdentityCache::lazy().load_timeout(2 * CREDENTIALS_TIMEOUT).build())
            // Bodies are small, and the operation timeout already bounds a silent server.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .http_client(http_client())
            .app_name(AppName::new("howso-infra").expect("the name has only letters and a hyphen"));
        let loader = match endpoint {
            Some(Endpoint(url)) => {
                let nobody = Credentials::new("emulated", "emulated", None, None, "emulated");
                loader.endpoint_url(url).credentials_provider(nobody)
            }
            None => loader,
        };
        let config = loader.load().await;
        let profile = std::env::var("AWS_PROFILE").ok().filter(|profile| !profile.is_empty());
        Self { profile, ..Self::new(&config) }
    }

    /// Makes the clients of one configuration; they share its HTTP client, its credentials cache, and a failure of its
    /// credentials.
    pub(crate) fn new(config: &SdkConfig) -> Self {
        let inner = config.credentials_provider();
        let credentials = inner.map(|inner| CredentialsSource::new(inner, config.sleep_impl(), CREDENTIALS_TIMEOUT));
        let mut builder = config.clone().into_builder();
        builder.set_credentials_provider(credentials.clone().map(SharedCredentialsProvider::new));
        let config = &builder.build();
        Self {
            autoscaling: aws_sdk_autoscaling::Client::new(config),
            ec2: aws_sdk_ec2::Client::new(config),
            eks: aws_sdk_eks::Client::new(config),
            iam: aws_sdk_iam::Client::new(config),
            quotas: aws_sdk_servicequotas::Client::new(config),
            sts: aws_sdk_sts::Client::new(config),
            profile: None,
            credentials,
        }
    }

    /// The credentials themselves, for what no service of the SDK signs.
    pub(crate) async fn credentials(&self) -> Result<Credentials, ProviderError> {
        let missing = CredentialsError::not_loaded("no source");
        let source = self.credentials.as_ref().ok_or_else(|| errors::credentials_error(&missing))?;
        source.provide_credentials().await.map_err(|error| errors::credentials_error(&error))
    }

    /// Lets credentials that failed be looked for once more.
    pub(crate) fn retry_credentials(&self) {
        if let Some(credentials) = &self.credentials {
            credentials.forget_failure();
        }
    }
}

/// The HTTP client that all services share: their connections and the trusted certificates are read once.
pub(crate) fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new().tls_provider(TLS).build_https()
}

/// The bounds of one request; there are no further attempts.
pub(crate) fn timeouts(request: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT.min(request)).operation_timeout(request).build()
}
