//! One question to the control socket of a mounted map.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::Result;

/// Calls `method` and waits for its result.
pub fn call(socket: &Path, method: &str, parameters: &Value) -> Result<Value> {
    let fail = |error: std::io::Error| format!("{}: {error}", socket.display());
    let mut stream = UnixStream::connect(socket).map_err(fail)?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).map_err(fail)?;
    let request = json!({ "id": 1, "method": method, "params": parameters });
    stream.write_all(format!("{request}\n").as_bytes()).map_err(fail)?;
    for line in BufReader::new(stream).lines() {
        let answer: Value = serde_json::from_str(&line.map_err(fail)?)
            .map_err(|error| format!("an answer to {method}: {error}"))?;
        if let Some(error) = answer.get("error") {
            return Err(format!("{method}: {error}"));
        }
        if let Some(result) = answer.get("result") {
            return Ok(result.clone());
        }
    }
    Err(format!("{method}: the connection ended without an answer"))
}

/// Hits and misses of all caches together.
pub fn cache_traffic(socket: &Path) -> Result<(u64, u64)> {
    let figures = call(socket, "cache", &json!({}))?;
    let caches = figures["caches"].as_array().ok_or("cache gave no list of caches")?;
    let sum = |field: &str| caches.iter().filter_map(|cache| cache[field].as_u64()).sum();
    Ok((sum("hits"), sum("misses")))
}
