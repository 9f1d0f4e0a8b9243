//! One failure of the credentials is enough.
//!
//! The SDK shares credentials that were found among all calls, but not that there are none: a burst of reads would ask a
//! portal, a helper program or a metadata service once a call, each after the other.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_smithy_async::future::timeout::Timeout;
use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep};

/// A source of credentials that is not asked again after it failed, until it is told that time has passed.
#[derive(Clone, Debug)]
pub(crate) struct CredentialsSource {
    inner: SharedCredentialsProvider,
    sleep: Option<SharedAsyncSleep>,
    /// How long the source has for an answer.
    limit: Duration,
    failure: Arc<Mutex<Option<Arc<CredentialsError>>>>,
}

impl CredentialsSource {
    /// Wraps a source that has `limit` for an answer, which must be less than the SDK waits: it would drop the question and
    /// with it what became of it. Without `sleep` there is no limit.
    pub(crate) fn new(inner: SharedCredentialsProvider, sleep: Option<SharedAsyncSleep>, limit: Duration) -> Self {
        Self { inner, sleep, limit, failure: Arc::default() }
    }

    /// Lets the source be asked again: since it failed, somebody may have signed in.
    pub(crate) fn forget_failure(&self) {
        *self.failure() = None;
    }

    async fn ask(&self) -> Result<Credentials, CredentialsError> {
        if let Some(earlier) = self.failure().clone() {
            return Err(repeated(earlier));
        }
        let answer = match &self.sleep {
            Some(sleep) => Timeout::new(self.inner.provide_credentials(), sleep.sleep(self.limit))
                .await
                .unwrap_or_else(|_| Err(CredentialsError::provider_timed_out(self.limit))),
            None => self.inner.provide_credentials().await,
        };
        answer.map_err(|error| {
            let error = Arc::new(error);
            *self.failure() = Some(error.clone());
            repeated(error)
        })
    }

    fn failure(&self) -> std::sync::MutexGuard<'_, Option<Arc<CredentialsError>>> {
        // The lock is held for a moment at a time and nothing panics meanwhile.
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProvideCredentials for CredentialsSource {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.ask())
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        self.inner.fallback_on_interrupt()
    }
}

/// The same failure once more: the SDK's own error cannot be copied.
fn repeated(error: Arc<CredentialsError>) -> CredentialsError {
    match &*error {
        CredentialsError::CredentialsNotLoaded(_) => CredentialsError::not_loaded(Earlier(error)),
        CredentialsError::ProviderTimedOut(timeout) => CredentialsError::provider_timed_out(timeout.timeout_duration()),
        CredentialsError::InvalidConfiguration(_) => CredentialsError::invalid_configuration(Earlier(error)),
        CredentialsError::ProviderError(_) => CredentialsError::provider_error(Earlier(error)),
        // `CredentialsError` is open.
        _ => CredentialsError::unhandled(Earlier(error)),
    }
}

/// A failure that several calls share.
#[derive(Debug)]
struct Earlier(Arc<CredentialsError>);

impl fmt::Display for Earlier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Error for Earlier {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use aws_smithy_async::rt::sleep::TokioSleep;

    use super::*;

    /// What a source answers.
    #[derive(Clone, Copy, Debug)]
    enum Behaviour {
        Fails,
        Hangs,
        Answers,
    }

    #[derive(Clone, Debug)]
    struct Counted {
        behaviour: Behaviour,
        asked: Arc<AtomicUsize>,
    }

    impl ProvideCredentials for Counted {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            self.asked.fetch_add(1, Ordering::Relaxed);
            match self.behaviour {
                Behaviour::Fails => {
                    future::ProvideCredentials::ready(Err(CredentialsError::provider_error("signed out")))
                }
                Behaviour::Hangs => future::ProvideCredentials::new(std::future::pending()),
                Behaviour::Answers => {
                    future::ProvideCredentials::ready(Ok(Credentials::new("AKIATEST", "secret", None, None, "test")))
                }
            }
        }
    }

    fn source(behaviour: Behaviour) -> (CredentialsSource, Arc<AtomicUsize>) {
        let asked = Arc::default();
        let inner = SharedCredentialsProvider::new(Counted { behaviour, asked: Arc::clone(&asked) });
        let sleep = SharedAsyncSleep::new(TokioSleep::new());
        (CredentialsSource::new(inner, Some(sleep), Duration::from_millis(20)), asked)
    }

    #[tokio::test]
    async fn a_source_that_failed_is_asked_again_only_when_time_has_passed() {
        let (source, asked) = source(Behaviour::Fails);
        for _ in 0..3 {
            let error = source.provide_credentials().await.unwrap_err();
            assert!(matches!(error, CredentialsError::ProviderError(_)), "{error:?}");
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        source.forget_failure();
        source.provide_credentials().await.unwrap_err();
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[tokio::test]
    async fn a_source_that_hangs_has_failed() {
        let (source, asked) = source(Behaviour::Hangs);
        for _ in 0..3 {
            let error = source.provide_credentials().await.unwrap_err();
            assert!(matches!(error, CredentialsError::ProviderTimedOut(_)), "{error:?}");
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn credentials_that_were_found_are_the_business_of_the_sdk() {
        let (source, asked) = source(Behaviour::Answers);
        for _ in 0..2 {
            assert_eq!(source.provide_credentials().await.unwrap().access_key_id(), "AKIATEST");
        }
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }
}
