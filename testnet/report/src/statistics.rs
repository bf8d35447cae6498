//! Means and how sure they are.

use serde::{Deserialize, Serialize};

/// Quantiles of Student's t for a two-sided 95 % interval, by degrees of freedom from 1 on.
const T_95: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160,
    2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056,
    2.052, 2.048, 2.045, 2.042,
];

/// The same for any greater number.
const T_95_MANY: f64 = 2.042;

/// A mean over seeds with its 95 % confidence interval by Student's t.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    pub mean: f64,
    pub low: f64,
    pub high: f64,
    pub samples: usize,
}

impl Estimate {
    /// Zeros where there are no values; no interval where there is one.
    pub fn of(values: &[f64]) -> Self {
        let samples = values.len();
        if samples == 0 {
            return Self::default();
        }
        let mean = values.iter().sum::<f64>() / samples as f64;
        if samples == 1 {
            return Self { mean, low: mean, high: mean, samples };
        }
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let error = (squares / (samples - 1) as f64 / samples as f64).sqrt();
        let t = T_95.get(samples - 2).copied().unwrap_or(T_95_MANY);
        Self { mean, low: mean - t * error, high: mean + t * error, samples }
    }
}

pub fn mean(values: &[f64]) -> f64 {
    Estimate::of(values).mean
}

/// The value that so many parts of a thousand of an ascending sample are not above.
pub fn quantile<T: Copy + Default>(ascending: &[T], per_mille: usize) -> T {
    let place = (ascending.len() * per_mille).div_ceil(1000).max(1) - 1;
    ascending.get(place).copied().unwrap_or_default()
}

/// To so many decimals, so that data files hold what can be told apart.
pub fn rounded(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_the_textbook() {
        // Five values with mean 3 and standard deviation sqrt(2.5): t(4) = 2.776.
        let estimate = Estimate::of(&[1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!((estimate.mean, estimate.samples), (3.0, 5));
        let half = 2.776 * (2.5_f64 / 5.0).sqrt();
        assert!((estimate.high - 3.0 - half).abs() < 1e-9, "{estimate:?}");
        assert!((3.0 - estimate.low - half).abs() < 1e-9, "{estimate:?}");
    }

    #[test]
    fn few_values_give_no_interval() {
        assert_eq!(Estimate::of(&[]), Estimate::default());
        let one = Estimate::of(&[7.0]);
        assert_eq!((one.low, one.mean, one.high), (7.0, 7.0, 7.0));
    }

    #[test]
    fn quantiles_are_members_of_the_sample() {
        let sample: Vec<u32> = (1..=100).collect();
        assert_eq!([500, 990, 1000].map(|at| quantile(&sample, at)), [50, 99, 100]);
        assert_eq!(quantile::<u32>(&[], 500), 0);
    }
}
