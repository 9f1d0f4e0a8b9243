//! How often, and after which pauses, a request is sent again.

use std::time::Duration;

use howso_infra_core::error::{OperationVerb, Verdict, verdict};
use howso_infra_core::spec::EngineSettings;
use howso_infra_core::{CreateSafety, ProviderError};

/// The retries of reads that belong to no step of a plan: what is there, what a cloud offers, what is left behind. The
/// policy is that of the steps.
#[derive(Debug)]
pub struct ReadRetries<'a> {
    settings: &'a EngineSettings,
    random: fastrand::Rng,
    failures: u32,
}

impl<'a> ReadRetries<'a> {
    /// Begins to count; the same seed gives the same pauses.
    pub fn new(settings: &'a EngineSettings, seed: u64) -> Self {
        Self { settings, random: fastrand::Rng::with_seed(seed), failures: 0 }
    }

    /// Whether the read that failed is worth another attempt.
    pub fn can_pass(error: &ProviderError) -> bool {
        matches!(Self::verdict(error), Verdict::Retry { .. })
    }

    /// How long to wait before the read is sent again; [`None`] when that is no use, or was done often enough.
    pub fn pause(&mut self, error: &ProviderError) -> Option<Duration> {
        let Verdict::Retry { after, .. } = Self::verdict(error) else { return None };
        self.failures += 1;
        (self.failures < self.settings.retry_attempts)
            .then(|| delay(self.settings, &mut self.random, self.failures, after))
    }

    fn verdict(error: &ProviderError) -> Verdict {
        // Nothing is created by a read.
        verdict(&error.kind, OperationVerb::Observe, CreateSafety::Named)
    }
}

/// Exponential back-off with full jitter: a random part of the base delay doubled with every failure, up to the greatest
/// delay (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>). A pause that the service asks for
/// comes before it.
///
/// `failures` counts those in a row, from 1.
pub(crate) fn delay(
    settings: &EngineSettings,
    random: &mut fastrand::Rng,
    failures: u32,
    after: Option<Duration>,
) -> Duration {
    let doubled = settings.retry_delay_base.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
    let ceiling = doubled.min(settings.retry_delay_max);
    after.unwrap_or_default() + ceiling.mul_f64(random.f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_up_to_the_greatest_and_obey_the_service() {
        let settings = EngineSettings {
            retry_delay_base: Duration::from_secs(1),
            retry_delay_max: Duration::from_secs(20),
            ..EngineSettings::default()
        };
        let mut random = fastrand::Rng::with_seed(7);
        let asked = Some(Duration::from_secs(5));
        for (failures, ceiling_secs) in [(1, 1), (2, 2), (3, 4), (5, 16), (6, 20), (60, 20)] {
            let ceiling = Duration::from_secs(ceiling_secs);
            let delays: Vec<_> = (0..200).map(|_| delay(&settings, &mut random, failures, None)).collect();
            assert!(delays.iter().all(|delay| *delay <= ceiling), "{failures} failures");
            assert!(delays.iter().any(|delay| *delay > ceiling.mul_f64(0.8)), "{failures} failures");
            assert!(delays.iter().any(|delay| *delay < ceiling.mul_f64(0.2)), "{failures} failures");
            assert!(delay(&settings, &mut random, failures, asked) >= Duration::from_secs(5));
        }
    }

    #[test]
    fn a_read_is_sent_again_while_its_failure_can_pass_and_only_so_often() {
        use howso_infra_core::ErrorKind;

        let settings = EngineSettings { retry_attempts: 3, ..EngineSettings::default() };
        let error = |kind| ProviderError::new(kind, "test:List", "no");
        let mut retries = ReadRetries::new(&settings, 7);
        assert!(retries.pause(&error(ErrorKind::Ambiguous)).is_some());
        let asked = Duration::from_secs(90);
        assert!(retries.pause(&error(ErrorKind::Throttled { after: Some(asked) })).is_some_and(|pause| pause >= asked));
        assert_eq!(retries.pause(&error(ErrorKind::Transient)), None, "that was the third attempt");
        for kind in [ErrorKind::Auth, ErrorKind::Permission { action: String::new() }, ErrorKind::Bug] {
            assert_eq!(ReadRetries::new(&settings, 7).pause(&error(kind.clone())), None, "{kind:?}");
            assert!(!ReadRetries::can_pass(&error(kind)));
        }
    }
}
