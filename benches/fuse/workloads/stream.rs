//! Much data through the mount: the daemon's memory must not grow with it.

use super::super::Result;
use super::super::contestants::{Contestant, Fresh};
use super::super::data::Pattern;
use super::super::measuring::{drop_kernel_caches, is_root};
use super::super::run::Run;
use super::data::{read_stream, write_stream};

pub fn measure(run: &mut Run, contestant: &mut Contestant) -> Result {
    let len = run.arguments.scale.stream;
    let kind = contestant.kind;
    contestant.fresh(Fresh { bytes: len })?;
    let path = contestant.root().join("stream");
    let mut pattern = Pattern::half(1 << 20);
    let (time, used) = run.timed(contestant, || write_stream(&path, len, &mut pattern))?;
    run.note("stream: write + fsync", kind, len as f64 / 1e6 / time, used);
    // By the same daemon, whose memory is what this is about.
    if is_root() {
        drop_kernel_caches()?;
        let (time, used) = run.timed(contestant, || read_stream(&path, len))?;
        run.note("stream: read cold", kind, len as f64 / 1e6 / time, used);
    } else {
        read_stream(&path, len)?;
    }
    let peak = contestant.peak() as f64 / f64::from(1 << 20);
    run.note("stream: daemon, peak memory", kind, peak, 0.0);
    Ok(())
}
