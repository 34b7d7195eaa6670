//! The control socket as a stranger would speak to it: JSON lines.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

pub struct Client {
    lines: BufReader<UnixStream>,
    pub hello: Value,
    next: u64,
}

impl Client {
    pub fn connect(socket: &Path) -> Client {
        let stream = UnixStream::connect(socket)
            .unwrap_or_else(|error| panic!("connecting to {}: {error}", socket.display()));
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut client = Client { lines: BufReader::new(stream), hello: Value::Null, next: 1 };
        client.hello = client.line();
        client
    }

    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a line from the control socket");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// The result, or the error object.
    pub fn try_call(&mut self, method: &str, params: &Value) -> Result<Value, Value> {
        let id = self.next;
        self.next += 1;
        let request = json!({"id": id, "method": method, "params": params});
        self.lines.get_mut().write_all(format!("{request}\n").as_bytes()).expect("a request");
        loop {
            let answer = self.line();
            assert_eq!(answer["id"], json!(id), "{answer}");
            if let Some(error) = answer.get("error") {
                return Err(error.clone());
            }
            if let Some(result) = answer.get("result") {
                return Ok(result.clone());
            }
            assert!(answer.get("progress").is_some(), "{answer}");
        }
    }

    pub fn call(&mut self, method: &str, params: &Value) -> Value {
        self.try_call(method, params).unwrap_or_else(|error| panic!("{method} {params}: {error}"))
    }
}
