//! How long to wait before a request is sent again.

use std::time::Duration;

use howso_infra_core::spec::EngineSettings;

/// Exponential back-off with full jitter: a random part of the base delay doubled with every failure, up to the greatest
/// delay (<https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/>). A pause that the service asks for
/// comes before it.
///
/// `failures` counts those in a row, from 1.
pub(super) fn delay(
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
}
