//! The bucket in which a team keeps its journals, in the emulated cloud.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::AmazonS3Builder;
use object_store::client::{HttpClient, HttpConnector};
use object_store::{BackoffConfig, ClientOptions, ObjectStore, Result, RetryConfig};

/// How far the requests of the store are apart when it sends one again. It waits in real time, in which nothing here has to recover.
const PAUSE: Duration = Duration::from_millis(1);

/// A bucket, and the way to it.
#[derive(Debug)]
pub(crate) struct Bucket {
    pub(crate) name: String,
    pub(crate) store: Arc<dyn ObjectStore>,
}

impl Bucket {
    /// A bucket at an emulated cloud. Sends no request.
    pub(crate) fn at(endpoint: &str, region: &str, name: &str) -> Result<Self> {
        let pauses = BackoffConfig { init_backoff: PAUSE, max_backoff: PAUSE, ..BackoffConfig::default() };
        let store = AmazonS3Builder::new()
            .with_endpoint(endpoint)
            .with_region(region)
            .with_bucket_name(name)
            .with_access_key_id("AKIAIOSFODNN7EXAMPLE")
            .with_secret_access_key("made-up")
            .with_allow_http(true)
            .with_http_connector(OnThisMachine)
            .with_retry(RetryConfig { backoff: pauses, ..RetryConfig::default() })
            .build()?;
        Ok(Self { name: name.to_owned(), store: Arc::new(store) })
    }
}

/// The HTTP client that the store would make itself, but for proxies: they would take requests to this machine elsewhere.
#[derive(Debug)]
struct OnThisMachine;

impl HttpConnector for OnThisMachine {
    fn connect(&self, _options: &ClientOptions) -> Result<HttpClient> {
        let client = reqwest::Client::builder().no_proxy().build();
        let failed = |source| object_store::Error::Generic { store: "S3", source: Box::new(source) };
        Ok(HttpClient::new(client.map_err(failed)?))
    }
}
