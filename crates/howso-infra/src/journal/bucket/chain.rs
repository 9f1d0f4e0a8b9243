//! The standard AWS credentials chain, as the store takes it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use howso_infra_engine::Clock;
use jiff::Timestamp;
use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use tokio::sync::Mutex;

/// How long before their end credentials are asked for again: longer than a request is sent again with the old ones.
const MARGIN: Duration = Duration::from_mins(1);
/// After how long credentials that do not say when they end are asked for again; as the SDK does.
const WITHOUT_END: Duration = Duration::from_mins(15);

/// The chain, which is asked only when the last answer is about to end: a helper program or a service may be behind it.
pub(super) struct Chain {
    provider: Option<SharedCredentialsProvider>,
    clock: Arc<dyn Clock>,
    last: Mutex<Option<Kept>>,
}

struct Kept {
    credential: Arc<AwsCredential>,
    until: Timestamp,
}

impl Chain {
    pub(super) fn new(config: &SdkConfig, clock: Arc<dyn Clock>) -> Self {
        Self { provider: config.credentials_provider(), clock, last: Mutex::new(None) }
    }

    async fn ask(&self) -> Result<Kept, CredentialsError> {
        let provider = self.provider.as_ref().ok_or_else(|| CredentialsError::not_loaded("there is no chain"))?;
        let credentials = provider.provide_credentials().await?;
        Ok(Kept { until: self.until(&credentials), credential: Arc::new(convert(&credentials)) })
    }

    fn until(&self, credentials: &Credentials) -> Timestamp {
        let end = credentials.expiry().and_then(|end| Timestamp::try_from(end).ok());
        end.map_or_else(|| self.clock.wall() + WITHOUT_END, |end| end - MARGIN)
    }
}

fn convert(credentials: &Credentials) -> AwsCredential {
    AwsCredential {
        key_id: credentials.access_key_id().to_owned(),
        secret_key: credentials.secret_access_key().to_owned(),
        token: credentials.session_token().map(str::to_owned),
    }
}

#[async_trait]
impl CredentialProvider for Chain {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        // Held while the chain is asked, so that it is asked once.
        let mut last = self.last.lock().await;
        if let Some(kept) = last.as_ref().filter(|kept| kept.until > self.clock.wall()) {
            return Ok(kept.credential.clone());
        }
        let kept = self.ask().await.map_err(|error| object_store::Error::Unauthenticated {
            path: "the journal".to_owned(),
            source: describe(&error).into(),
        })?;
        Ok(last.insert(kept).credential.clone())
    }
}

/// The reasons of credential providers may quote files and the output of helper programs, so they are not repeated.
fn describe(error: &CredentialsError) -> &'static str {
    match error {
        CredentialsError::CredentialsNotLoaded(_) => "no AWS credentials were found",
        CredentialsError::ProviderTimedOut(_) => "no AWS credentials were found in time",
        CredentialsError::InvalidConfiguration(_) => "the configuration of the AWS credentials is wrong",
        _ => "the source of the AWS credentials failed or they have expired",
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Chain").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::SystemTime;

    use aws_credential_types::provider::future;
    use howso_infra_engine::VirtualClock;

    use super::*;

    /// Answers with a new key each time, good for some time from the beginning of the test's clock.
    #[derive(Debug)]
    struct Counting {
        asked: Arc<AtomicU64>,
        end: Option<SystemTime>,
    }

    impl ProvideCredentials for Counting {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let asked = self.asked.fetch_add(1, Ordering::SeqCst);
            let credentials = Credentials::new(format!("key-{asked}"), "secret", None, self.end, "test");
            future::ProvideCredentials::ready(Ok(credentials))
        }
    }

    fn chain(good_for: Option<Duration>) -> (Chain, VirtualClock, Arc<AtomicU64>) {
        let start: Timestamp = "2026-11-24T08:00:00Z".parse().unwrap();
        let (clock, asked) = (VirtualClock::new(start), Arc::new(AtomicU64::new(0)));
        let end = good_for.map(|good_for| SystemTime::try_from(start + good_for).unwrap());
        let provider = SharedCredentialsProvider::new(Counting { asked: asked.clone(), end });
        let chain = Chain { provider: Some(provider), clock: Arc::new(clock.clone()), last: Mutex::new(None) };
        (chain, clock, asked)
    }

    async fn pass(clock: &VirtualClock, duration: Duration) {
        let _hold = clock.hold();
        clock.sleep(duration).await;
    }

    #[tokio::test]
    async fn the_chain_is_asked_again_only_shortly_before_the_end() {
        let (chain, clock, asked) = chain(Some(Duration::from_mins(10)));
        for _ in 0..3 {
            assert_eq!(chain.get_credential().await.unwrap().key_id, "key-0");
        }
        pass(&clock, Duration::from_secs(8 * 60 + 59)).await;
        assert_eq!(chain.get_credential().await.unwrap().key_id, "key-0");
        pass(&clock, Duration::from_secs(1)).await;
        assert_eq!(chain.get_credential().await.unwrap().key_id, "key-1");
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn credentials_without_an_end_are_looked_up_again_now_and_then() {
        let (chain, clock, asked) = chain(None);
        chain.get_credential().await.unwrap();
        pass(&clock, Duration::from_secs(15 * 60 - 1)).await;
        chain.get_credential().await.unwrap();
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        pass(&clock, Duration::from_secs(1)).await;
        assert_eq!(chain.get_credential().await.unwrap().key_id, "key-1");
    }

    #[tokio::test]
    async fn no_secret_is_in_what_a_debugger_prints() {
        let (chain, _, _) = chain(None);
        chain.get_credential().await.unwrap();
        assert!(!format!("{chain:?}").contains("secret"));
    }
}
