//! Journals in buckets.

mod chain;

use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_types::service_config::ServiceConfigKey;
use howso_infra_core::spec::{JournalLocation, JournalScheme};
use howso_infra_engine::JournalPlace;
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStore, RetryConfig};

use crate::{Error, Session};
use chain::Chain;

/// For how long a request is sent again that the store could not serve. Shorter than a lease, so that a run whose store is
/// out of reach ends before its lease does.
const RETRIES: Duration = Duration::from_secs(20);

/// Where the journal of a cluster lies in a bucket. Sends no request to it.
pub(super) async fn place(location: &JournalLocation, name: &str, session: &Session) -> Result<JournalPlace, Error> {
    let path = Path::parse(format!("{}/{name}", location.prefix)).map_err(|error| refused(location, error.into()))?;
    let store = match (&session.bucket, location.scheme) {
        (Some(store), _) => Arc::clone(store),
        (None, JournalScheme::S3) => s3(location, session).await?,
    };
    let url = format!("{}://{}/{path}", location.scheme.as_str(), location.bucket);
    Ok(JournalPlace::Bucket { store, path, url })
}

fn refused(location: &JournalLocation, source: object_store::Error) -> Error {
    Error::Bucket { location: location.to_string(), source }
}

/// Credentials, region and endpoint of a bucket come from where every AWS tool takes them: the environment, the profile,
/// and what they point to.
///
/// The store's own way to find them is not used: it knows neither profiles nor SSO nor helper programs, and it takes
/// settings from the environment that no other AWS tool knows.
async fn s3(location: &JournalLocation, session: &Session) -> Result<Arc<dyn ObjectStore>, Error> {
    let (spec, clock) = (&session.spec, &session.clock);
    // Boxed because it is large, and a part of every command's future.
    let config = Box::pin(aws_config::defaults(BehaviorVersion::latest()).load()).await;
    // A team's bucket is usually where its cluster is.
    let region = config.region().map_or_else(|| spec.location.to_string(), ToString::to_string);
    let client = ClientOptions::new()
        .with_timeout(spec.engine.request_timeout)
        // Without encryption only where the user's own endpoint is without it.
        .with_allow_http(true);
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&location.bucket)
        .with_region(region)
        .with_credentials(Arc::new(Chain::new(&config, clock.clone())))
        .with_client_options(client)
        .with_retry(RetryConfig { retry_timeout: RETRIES, ..RetryConfig::default() });
    if let Some(endpoint) = endpoint(&config) {
        // The store takes it for a URL without asking, and panics when it is none.
        if !is_endpoint(&endpoint) {
            return Err(Error::BucketEndpoint { location: location.to_string() });
        }
        builder = builder.with_endpoint(endpoint);
    }
    let store = builder.build().map_err(|source| refused(location, source))?;
    Ok(Arc::new(store))
}

/// `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL` and what stands for them in the profile, in the order of the SDKs:
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>.
fn endpoint(config: &SdkConfig) -> Option<String> {
    let key =
        ServiceConfigKey::builder().service_id("S3").env("AWS_ENDPOINT_URL").profile("endpoint_url").build().ok()?;
    let of_service = config.service_config().and_then(|settings| settings.load_config(key));
    of_service.or_else(|| config.endpoint_url().map(str::to_owned))
}

fn is_endpoint(text: &str) -> bool {
    url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_url_with_a_host() {
        for text in ["http://127.0.0.1:9000", "https://s3.example.com/", "http://[::1]:80"] {
            assert!(is_endpoint(text), "{text}");
        }
        for text in ["", "s3.example.com", "127.0.0.1:9000", "/path", "ftp://host", "http://", "http://a b"] {
            assert!(!is_endpoint(text), "{text}");
        }
    }
}
