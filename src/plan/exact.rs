//! Sums of numbers that do not depend on their order: what a window's events add up to is the same however they came
//! and went.
//!
//! A floating point number of usual size is a whole multiple of 2⁻⁷⁴, so sums of them are exact in 128 bits, and
//! rounded once, when they are asked for. Whatever does not fit is counted; then there is no exact sum.

use serde::{Deserialize, Serialize};

use crate::base::Value;

/// Binary digits behind the point.
const SCALE: i32 = 74;
/// Binary digits of one number; [`MOST`] of them, and the whole numbers, fit into 128 bits with their sign.
const DIGITS: u32 = 106;
/// Floating point numbers in one sum.
const MOST: u64 = 1 << 20;

/// A sum from which numbers can be taken again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExactSum {
    /// Of the whole numbers.
    whole: i128,
    /// Of the floating point numbers, in multiples of 2⁻⁷⁴.
    fraction: i128,
    numbers: u64,
    floats: u64,
    /// Numbers that do not fit.
    unfit: u64,
}

impl ExactSum {
    /// The sum of values; `None` if one of them is no number.
    pub fn of(values: &[Value]) -> Option<Self> {
        let mut sum = Self::default();
        values.iter().all(|value| sum.add(value)).then_some(sum)
    }

    /// Adds a value, if it is a number; gives whether it is.
    pub fn add(&mut self, value: &Value) -> bool {
        self.change(value, |a, b| a + b, |n| n + 1)
    }

    /// Takes away a value that was added.
    pub fn remove(&mut self, value: &Value) -> bool {
        self.change(value, |a, b| a - b, |n| n - 1)
    }

    fn change(&mut self, value: &Value, total: fn(i128, i128) -> i128, count: fn(u64) -> u64) -> bool {
        match value {
            Value::Int(n) => self.whole = total(self.whole, i128::from(*n)),
            Value::UInt(n) => self.whole = total(self.whole, i128::from(*n)),
            Value::Float(x) => {
                self.floats = count(self.floats);
                match multiple(*x) {
                    Some(fixed) => self.fraction = total(self.fraction, fixed),
                    None => self.unfit = count(self.unfit),
                }
            }
            _ => return false,
        }
        self.numbers = count(self.numbers);
        true
    }

    /// The sum, a whole number if all are; `None` if there is none, or it is not known exactly.
    pub fn sum(&self) -> Option<Value> {
        match self.floats {
            0 => (self.numbers > 0).then(|| Value::integer(self.whole)),
            _ => self.rounded().map(Value::number),
        }
    }

    /// The mean; `None` likewise.
    pub fn mean(&self) -> Option<Value> {
        self.rounded().map(|sum| Value::number(sum / self.numbers as f64))
    }

    fn rounded(&self) -> Option<f64> {
        if self.numbers == 0 || self.unfit > 0 || self.floats > MOST {
            return None;
        }
        if self.floats == 0 {
            return Some(self.whole as f64);
        }
        let whole = Some(self.whole).filter(|n| n.unsigned_abs() >> (DIGITS as i32 - SCALE) == 0)?;
        // The cast rounds to the nearest; the product is exact, since it is far from the smallest numbers.
        Some(((whole << SCALE) + self.fraction) as f64 * 2.0_f64.powi(-SCALE))
    }
}

/// A number as a multiple of 2⁻⁷⁴, if it is one and not too large.
fn multiple(x: f64) -> Option<i128> {
    let bits = x.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as i32;
    let fraction = bits & ((1 << 52) - 1);
    let (digits, power) = match exponent {
        0 => (fraction, -1074),
        0x7ff => return None,
        _ => (fraction | 1 << 52, exponent - 1075),
    };
    if digits == 0 {
        return Some(0);
    }
    let zeros = digits.trailing_zeros();
    let (digits, shift) = (i128::from(digits >> zeros), power + zeros as i32 + SCALE);
    let length = 128 - digits.leading_zeros();
    let shift = u32::try_from(shift).ok().filter(|shift| length + shift <= DIGITS)?;
    let amount = digits << shift;
    Some(if x < 0.0 { -amount } else { amount })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(values: &[f64]) -> Option<Value> {
        let mut sum = ExactSum::default();
        values.iter().for_each(|x| assert!(sum.add(&Value::Float(*x))));
        sum.sum()
    }

    #[test]
    fn sums_are_rounded_once() {
        assert_eq!(sum(&[0.1, 0.2]), Some(Value::Float(0.1 + 0.2)));
        assert_eq!(sum(&[0.1; 10]), Some(Value::Float(1.0)));
        assert_eq!(sum(&[1e9, 1e-6, -1e9]), Some(Value::Float(1e-6)));
        assert_eq!(sum(&[-0.75, 0.5]), Some(Value::Float(-0.25)));
    }

    #[test]
    fn what_does_not_fit_is_known() {
        assert_eq!(sum(&[1e300]), None);
        assert_eq!(sum(&[1e-300]), None);
        assert_eq!(sum(&[]), None);
        let mut sum = ExactSum::default();
        sum.add(&Value::Float(1e300));
        sum.add(&Value::Float(0.25));
        sum.remove(&Value::Float(1e300));
        assert_eq!(sum.sum(), Some(Value::Float(0.25)));
    }

    #[test]
    fn whole_numbers_stay_whole() {
        let mut sum = ExactSum::default();
        assert!(sum.add(&Value::Int(-3)) && sum.add(&Value::UInt(5)));
        assert!(!sum.add(&Value::Str("x".into())));
        assert_eq!(sum.sum(), Some(Value::Int(2)));
        assert_eq!(sum.mean(), Some(Value::Float(1.0)));
        sum.add(&Value::Float(0.5));
        assert_eq!(sum.sum(), Some(Value::Float(2.5)));
        sum.remove(&Value::Float(0.5));
        assert_eq!(sum.sum(), Some(Value::Int(2)));
    }
}
