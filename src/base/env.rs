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
