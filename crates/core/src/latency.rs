//! How long operations take, and how often to look whether they are done.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A log-normal model of the duration of an operation: `median` seconds, logarithmic standard deviation `sigma`.
///
/// The numbers of each kind come from the latency facts (C3, C4). They shape polling and the estimates shown to people;
/// nothing is correct or wrong because of them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// Median duration in seconds.
    pub median_secs: f64,
    /// Standard deviation of the logarithm of the duration.
    pub sigma: f64,
}

/// Bounds of the interval between two polls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PollBounds {
    /// Never poll faster than this.
    pub min: Duration,
    /// Never wait longer than this, so that a wrong model costs at most this much.
    pub max: Duration,
}

impl Default for PollBounds {
    fn default() -> Self {
        Self { min: Duration::from_secs(1), max: Duration::from_secs(15) }
    }
}

/// What one poll costs, in seconds of detection delay; 0.1 gave a mean delay of 2.9 s at 29 polls for an EKS control
/// plane in simulation (latency facts, C5).
const POLL_COST_SECS: f64 = 0.1;

impl Latency {
    /// Makes a model from its median in seconds and its logarithmic standard deviation.
    pub const fn new(median_secs: f64, sigma: f64) -> Self {
        Self { median_secs, sigma }
    }

    /// An operation whose answer is already the end of it.
    pub const IMMEDIATE: Self = Self::new(1.0, 0.4);

    /// The median.
    pub fn median(self) -> Duration {
        Duration::from_secs_f64(self.median_secs)
    }

    /// The duration that 95 of 100 operations stay under; beyond it an operation is called slower than usual.
    pub fn p95(self) -> Duration {
        Duration::from_secs_f64(self.median_secs * (1.645 * self.sigma).exp())
    }

    /// How long to wait before the next poll of an operation that has run for `elapsed`.
    ///
    /// `√(2c / h(t))` with the hazard rate h of the log-normal distribution, clamped to `bounds` (Keller, Management
    /// Science 21(3), 1974). The rate is that at the end of the wait: an operation of one second has a rate of almost
    /// nothing when it begins, and must not be looked at only after the longest interval because of that.
    pub fn poll_interval(self, elapsed: Duration, bounds: PollBounds) -> Duration {
        let mut wait = bounds.min.max(Duration::from_millis(1));
        while wait < bounds.max && self.interval_at(elapsed + wait).is_none_or(|interval| interval > wait) {
            wait = wait.mul_f64(1.1);
        }
        wait.min(bounds.max)
    }

    /// The best interval between two polls around `elapsed`; [`None`] when it is longer than any bound.
    fn interval_at(self, elapsed: Duration) -> Option<Duration> {
        let seconds = (2.0 * POLL_COST_SECS / self.hazard_per_sec(elapsed.as_secs_f64())).sqrt();
        (seconds < 86_400.0).then(|| Duration::from_secs_f64(seconds))
    }

    /// The rate at which an operation that has not ended after `elapsed_secs` ends now.
    fn hazard_per_sec(self, elapsed_secs: f64) -> f64 {
        if elapsed_secs <= 0.0 {
            return 0.0;
        }
        let z = (elapsed_secs.ln() - self.median_secs.ln()) / self.sigma;
        let density = (-0.5 * z * z).exp() / (elapsed_secs * self.sigma * (2.0 * std::f64::consts::PI).sqrt());
        let survival = normal_survival(z);
        // Far behind the model's tail both terms underflow; the hazard of a log-normal there falls like ln(t)/t, and the
        // upper bound of the interval takes over.
        if survival > f64::EPSILON { density / survival } else { z.max(1.0) / (self.sigma * elapsed_secs) }
    }
}

/// The coefficients of Abramowitz and Stegun 26.2.17.
const TAIL_COEFFICIENTS: [f64; 5] = [0.319_381_530, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];

/// The upper tail of the standard normal distribution (Abramowitz and Stegun 26.2.17, error below 7.5e-8).
fn normal_survival(z: f64) -> f64 {
    if z < 0.0 {
        return 1.0 - normal_survival(-z);
    }
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let polynomial = TAIL_COEFFICIENTS.iter().rev().fold(0.0, |sum, coefficient| t * (coefficient + sum));
    (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt() * polynomial
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTROL_PLANE: Latency = Latency::new(622.0, 0.14);

    /// Returns the number of polls and the delay after `truth_secs` at which the end was seen.
    fn simulate(model: Latency, truth_secs: f64) -> (u32, f64) {
        let (mut elapsed, mut polls) = (0.0, 0);
        while elapsed < truth_secs {
            elapsed += model.poll_interval(Duration::from_secs_f64(elapsed), PollBounds::default()).as_secs_f64();
            polls += 1;
        }
        (polls, elapsed - truth_secs)
    }

    /// The targets of the latency facts, C5, over 400 evenly spread quantiles of the model itself.
    #[test]
    fn a_control_plane_is_seen_within_four_seconds_on_average_with_few_polls() {
        let quantiles: Vec<f64> = (-200..=200).map(|step| f64::from(step) / 100.0).collect();
        let weights: Vec<f64> = quantiles.iter().map(|z: &f64| (-0.5 * z * z).exp()).collect();
        let (mut polls, mut delay_secs) = (0.0, 0.0);
        for (z, weight) in quantiles.iter().zip(&weights) {
            let seen = simulate(CONTROL_PLANE, CONTROL_PLANE.median_secs * (CONTROL_PLANE.sigma * z).exp());
            polls += weight * f64::from(seen.0) / weights.iter().sum::<f64>();
            delay_secs += weight * seen.1 / weights.iter().sum::<f64>();
        }
        assert!(polls <= 60.0, "{polls} polls on average");
        assert!(delay_secs <= 4.0, "seen {delay_secs} s late on average");
    }

    #[test]
    fn an_operation_that_ends_soon_is_seen_soon() {
        for (median_secs, truth_secs) in [(1.0, 0.8), (1.0, 2.0), (5.0, 4.0), (20.0, 19.0)] {
            let (_, delay_secs) = simulate(Latency::new(median_secs, 0.4), truth_secs);
            assert!(delay_secs <= 1.0 + median_secs / 4.0, "seen {delay_secs} s late at {truth_secs} s");
        }
    }

    #[test]
    fn a_wrong_model_costs_at_most_the_upper_bound() {
        for truth_secs in [1.0, 60.0, 200.0, 1_900.0, 6_000.0] {
            let (_, delay_secs) = simulate(CONTROL_PLANE, truth_secs);
            assert!(delay_secs <= 15.0, "seen {delay_secs} s late at {truth_secs} s");
        }
    }

    #[test]
    fn tails_agree_with_published_values() {
        for (z, expected) in [(0.0, 0.5), (1.0, 0.158_655), (1.959_964, 0.025), (-1.0, 0.841_345)] {
            assert!((normal_survival(z) - expected).abs() < 1e-6, "z = {z}");
        }
    }
}
