//! Lines: what a request looks like, and what an answer.

use serde::Serialize;
use serde_json::{Map as Object, Value, json};

use super::{MAX_REQUEST, PROTOCOL};
use crate::base::{Code, Error};

/// One request.
#[derive(Debug)]
pub(super) struct Request {
    pub id: Value,
    pub method: String,
    pub params: Object<String, Value>,
}

/// An error as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Failure {
    /// Name of an errno.
    pub code: &'static str,
    pub errno: i32,
    /// The engine's own name of the case.
    pub reason: &'static str,
    /// One sentence.
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<u64>,
}

impl Failure {
    fn new(code: &'static str, errno: i32, reason: &'static str, message: String) -> Failure {
        Failure { code, errno, reason, message, path: None, offset: None, cluster: None }
    }

    pub fn invalid(message: impl Into<String>) -> Failure {
        Failure::new("EINVAL", 22, Code::Invalid.name(), message.into())
    }

    pub fn unknown_method(method: &str) -> Failure {
        let shown: String = method.chars().take(64).collect();
        let message = format!("there is no method '{shown}'");
        Failure::new("ENOSYS", 38, Code::Unsupported.name(), message)
    }

    pub fn too_many_connections() -> Failure {
        let message = format!("{} clients are connected already", super::MAX_CONNECTIONS);
        Failure::new("EMFILE", 24, Code::Busy.name(), message)
    }

    pub fn too_long() -> Failure {
        let message = format!("a request is longer than {MAX_REQUEST} bytes");
        Failure::new("E2BIG", 7, Code::TooBig.name(), message)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let code = error.code();
        Failure {
            code: code.errno_name(),
            errno: code.errno(),
            reason: code.name(),
            message: error.message().to_owned(),
            path: error.path().map(|path| String::from_utf8_lossy(path).into_owned()),
            offset: error.offset(),
            cluster: error.cluster(),
        }
    }
}

/// Reads one line as a request.
pub(super) fn parse(line: &[u8]) -> Result<Request, Failure> {
    let value: Value = serde_json::from_slice(line)
        .map_err(|error| Failure::invalid(format!("a line that is no JSON: {error}")))?;
    let Value::Object(mut object) = value else {
        return Err(Failure::invalid("a line that is no object"));
    };
    let id = object.remove("id").unwrap_or_default();
    if !matches!(id, Value::Null | Value::Number(_) | Value::String(_)) {
        return Err(Failure::invalid("an id is a number or a string"));
    }
    let Some(Value::String(method)) = object.remove("method") else {
        return Err(Failure::invalid("a request has a method, which is a string"));
    };
    let params = match object.remove("params").unwrap_or_default() {
        Value::Null => Object::new(),
        Value::Object(params) => params,
        _ => return Err(Failure::invalid("params are an object")),
    };
    Ok(Request { id, method, params })
}

/// A line: the object, and its end.
pub(super) fn line(value: &Value) -> Vec<u8> {
    let mut bytes = value.to_string().into_bytes();
    bytes.push(b'\n');
    bytes
}

pub(super) fn hello(host: &dyn super::Host) -> Value {
    json!({
        "aetherflow": env!("CARGO_PKG_VERSION"),
        "protocol": PROTOCOL,
        "map": host.map_path().to_string_lossy(),
        "mountPoint": host.mount_point().map(|path| path.to_string_lossy().into_owned()),
        "pid": std::process::id(),
    })
}

pub(super) fn progress(id: &Value, done: u64, total: u64) -> Value {
    json!({ "id": id, "progress": { "done": done, "total": total } })
}

pub(super) fn answer(id: &Value, outcome: Result<Value, Failure>) -> Value {
    match outcome {
        Ok(result) => json!({ "id": id, "result": result }),
        Err(failure) => json!({ "id": id, "error": failure }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_any_shape() {
        let good = parse(br#"{"id":1,"method":"info","params":{"a":2},"more":[]}"#).unwrap();
        assert_eq!((good.id, good.method.as_str(), good.params.len()), (json!(1), "info", 1));
        let bare = parse(br#"{"method":"info"}"#).unwrap();
        assert_eq!((bare.id, bare.params.len()), (Value::Null, 0));
        let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
        let bad: [&[u8]; 8] = [
            b"",
            b"\xff\xfe",
            b"[]",
            b"{\"id\":[],\"method\":\"info\"}",
            b"{\"id\":1}",
            b"{\"id\":1,\"method\":7}",
            b"{\"id\":1,\"method\":\"info\",\"params\":[1]}",
            &deep,
        ];
        for line in bad {
            assert_eq!(parse(line).unwrap_err().code, "EINVAL");
        }
    }

    #[test]
    fn errors_name_code_reason_and_place() {
        let failure = Failure::from(Error::checksum(7, 1, 2).at_path(b"a/b").at_offset(3));
        assert_eq!(
            serde_json::to_value(&failure).unwrap(),
            json!({
                "code": "EIO", "errno": 5, "reason": "corrupt", "path": "a/b", "offset": 3,
                "cluster": 7, "message": "checksum mismatch: expected 00000001, found 00000002",
            })
        );
        let unknown = Failure::unknown_method(&"x".repeat(1000));
        assert_eq!((unknown.code, unknown.errno), ("ENOSYS", 38));
        assert!(unknown.message.len() < 100);
    }
}
