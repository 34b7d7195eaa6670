//! The other side of the control socket: for commands that speak to a mounted map.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use super::PROTOCOL;
use crate::base::{Code, Error, Result};

/// Longest line of an answer, in bytes.
const MAX_ANSWER: u64 = 16 << 20;
/// A server says who it is at once.
const GREETING: Duration = Duration::from_secs(5);

/// Who answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Version of the program.
    pub version: String,
    pub map: PathBuf,
    pub mount_point: Option<PathBuf>,
    pub pid: u32,
}

/// A connection to a control socket.
pub struct Client {
    input: BufReader<UnixStream>,
    hello: Hello,
    calls: u64,
}

impl Client {
    /// # Errors
    /// `NotFound` or `Io` where nobody listens, `Access`, `Busy` when too many clients are
    /// connected, `Version` for a protocol this build does not speak.
    pub fn connect(path: &Path) -> Result<Client> {
        let named =
            |error: std::io::Error| Error::from(error).at_path(path.as_os_str().as_encoded_bytes());
        let stream = UnixStream::connect(path).map_err(named)?;
        stream.set_read_timeout(Some(GREETING)).map_err(named)?;
        let hello =
            Hello { version: String::new(), map: PathBuf::new(), mount_point: None, pid: 0 };
        let mut client = Client { input: BufReader::new(stream), hello, calls: 0 };
        let line = client.line()?;
        if let Some(error) = line.get("error") {
            return Err(remote(error));
        }
        if line["protocol"] != PROTOCOL {
            let what = format!(
                "the control socket speaks version {} of the protocol, this program {PROTOCOL}",
                line["protocol"]
            );
            return Err(Error::new(Code::Version, what));
        }
        client.hello = Hello {
            version: line["aetherflow"].as_str().unwrap_or_default().to_owned(),
            map: PathBuf::from(line["map"].as_str().unwrap_or_default()),
            mount_point: line["mountPoint"].as_str().map(PathBuf::from),
            pid: line["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).unwrap_or(0),
        };
        client.set_timeout(None)?;
        Ok(client)
    }

    /// What the server said first.
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// How long to wait for each line of an answer; without end where `None`.
    ///
    /// # Errors
    /// `Io`.
    pub fn set_timeout(&mut self, timeout: Option<Duration>) -> Result<()> {
        Ok(self.input.get_ref().set_read_timeout(timeout)?)
    }

    /// Calls a method and waits for its result. `progress` is told how far it is; when it says
    /// `false`, the call is cancelled, which its answer then tells.
    ///
    /// # Errors
    /// The method's own, with its code and place; `Io` when the server is gone.
    pub fn call(
        &mut self,
        method: &str,
        params: &Value,
        progress: &mut dyn FnMut(u64, u64) -> bool,
    ) -> Result<Value> {
        self.calls += 1;
        let id = self.calls;
        self.send(&json!({ "id": id, "method": method, "params": params }))?;
        let mut cancelled = false;
        loop {
            let mut line = self.line()?;
            if line["id"] != id {
                match line.get("error") {
                    // Not about any request: the connection itself.
                    Some(error) if line["id"].is_null() => return Err(remote(error)),
                    _ => continue,
                }
            }
            if let Some(told) = line.get("progress") {
                let number = |name: &str| told[name].as_u64().unwrap_or(0);
                if !progress(number("done"), number("total")) && !cancelled {
                    cancelled = true;
                    self.send(&json!({ "method": "cancel", "params": { "id": id } }))?;
                }
            } else if let Some(error) = line.get("error") {
                return Err(remote(error));
            } else {
                return Ok(line["result"].take());
            }
        }
    }

    fn send(&mut self, value: &Value) -> Result<()> {
        let mut line = value.to_string();
        line.push('\n');
        Ok(self.input.get_mut().write_all(line.as_bytes())?)
    }

    fn line(&mut self) -> Result<Value> {
        let mut line = Vec::new();
        self.input.by_ref().take(MAX_ANSWER).read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            return Err(Error::new(Code::Io, "the process that holds the map has ended"));
        }
        serde_json::from_slice(&line)
            .map_err(|error| Error::new(Code::Io, format!("an answer that is no JSON: {error}")))
    }
}

/// The error that the other side had.
fn remote(error: &Value) -> Error {
    let text = |name: &str| error[name].as_str();
    let code = text("reason").and_then(Code::of_name).unwrap_or(Code::Io);
    let mut found = Error::new(code, text("message").unwrap_or("no reason was given"));
    if let Some(path) = text("path") {
        found = found.at_path(path.as_bytes());
    }
    if let Some(offset) = error["offset"].as_u64() {
        found = found.at_offset(offset);
    }
    if let Some(cluster) = error["cluster"].as_u64() {
        found = found.at_cluster(cluster);
    }
    found
}
