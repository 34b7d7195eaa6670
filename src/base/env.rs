//! Time and randomness as parameters, so a run can be repeated from a seed.

use super::error::{Code, Error, Result};

/// `Send + Sync` natively, nothing in wasm, where host objects cannot cross threads.
#[cfg(not(target_arch = "wasm32"))]
pub trait Shareable: Send + Sync {}
#[cfg(not(target_arch = "wasm32"))]
impl<T: Send + Sync + ?Sized> Shareable for T {}
/// `Send + Sync` natively, nothing in wasm, where host objects cannot cross threads.
#[cfg(target_arch = "wasm32")]
pub trait Shareable {}
#[cfg(target_arch = "wasm32")]
impl<T: ?Sized> Shareable for T {}

/// A point in time: seconds and nanoseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Seconds since the epoch, negative before it.
    pub seconds: i64,
    /// 0..1_000_000_000, always counted forward.
    pub nanos: u32,
}

/// Where the engine gets the time from.
pub trait Clock: Shareable {
    /// Wall-clock time.
    fn now(&self) -> Timestamp;
}

/// Where the engine gets unpredictable bytes from.
pub trait Entropy: Shareable {
    /// Fills `buf`.
    ///
    /// # Errors
    /// `Io` when the source is not available.
    fn fill(&self, buf: &mut [u8]) -> Result<()>;
}

/// The operating system's random source (`getrandom`).
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, buf: &mut [u8]) -> Result<()> {
        getrandom::fill(buf)
            .map_err(|error| Error::new(Code::Io, format!("no random source: {error}")))
    }
}

/// The system's wall clock. Not available in wasm, where the host passes its own.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[cfg(not(target_arch = "wasm32"))]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        use std::time::{SystemTime, UNIX_EPOCH};
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => Timestamp { seconds: since.as_secs() as i64, nanos: since.subsec_nanos() },
            Err(before) => {
                let before = before.duration();
                let nanos = before.subsec_nanos();
                Timestamp {
                    seconds: -(before.as_secs() as i64) - i64::from(nanos > 0),
                    nanos: if nanos > 0 { 1_000_000_000 - nanos } else { 0 },
                }
            }
        }
    }
}

/// A time as RFC 3339, in UTC, to the nanosecond.
pub fn rfc3339(time: Timestamp) -> String {
    let (days, second) = (time.seconds.div_euclid(86_400), time.seconds.rem_euclid(86_400));
    // Proleptic Gregorian calendar, in eras of 400 years that begin in March.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:09}Z", time.nanos)
}
