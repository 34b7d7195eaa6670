//! Layer 8: what a whole map tells about itself, as plain objects.
//!
//! One definition for every surface: the class JavaScript sees, and the control socket of a
//! mounted map. `pkg-template/index.d.ts` is the contract for names and units.
//!
//! * [`facts`]: the map, its zones, its settings, its counters;
//! * [`verify`]: what a check found;
//! * [`change`]: requests that name a part of the settings or of the tree.

pub mod change;
pub mod facts;
pub mod verify;

pub use change::{CompressRequest, SettingsChange, VerifyRequest};
pub use facts::{
    CacheInfo, CacheReport, CompressInfo, Info, SettingsInfo, SnapshotInfo, Statfs, Stats, ZoneInfo,
};
pub use verify::VerifyReport;

use serde::{Serialize, Serializer};

/// The largest integer that a JavaScript number holds exactly.
const EXACT: f64 = 9_007_199_254_740_991.0;

/// A number as JavaScript has it. Whole ones are written as integers where that is exact, so
/// that JSON has no needless fraction; counts beyond that lose their last digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Number(pub f64);

impl From<u64> for Number {
    fn from(value: u64) -> Number {
        Number(value as f64)
    }
}

impl From<usize> for Number {
    fn from(value: usize) -> Number {
        Number(value as f64)
    }
}

impl From<f64> for Number {
    fn from(value: f64) -> Number {
        Number(value)
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.fract() == 0.0 && self.0.abs() <= EXACT {
            serializer.serialize_i64(self.0 as i64)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_have_no_fraction() {
        let json = |number: Number| serde_json::to_string(&number).unwrap();
        assert_eq!(json(0u64.into()), "0");
        assert_eq!(json((1u64 << 53).wrapping_sub(1).into()), "9007199254740991");
        assert_eq!(json(1.5.into()), "1.5");
        assert_eq!(json((-3.0).into()), "-3");
        assert_eq!(json(u64::MAX.into()), "1.8446744073709552e+19");
        assert_eq!(json(f64::NAN.into()), "null");
    }
}
