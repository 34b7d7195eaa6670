//! Checking a map.

use js_sys::Function;
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;

use super::objects::object;
use super::whole::{goes_on, parse};
use super::{JsResult, Map, error};
use crate::check::{self, Problem, Report, VerifyOptions};

#[derive(Default, Deserialize)]
#[serde(default)]
struct Options {
    deep: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProblemInfo {
    kind: &'static str,
    severity: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    found: Option<f64>,
    advice: &'static str,
}

impl ProblemInfo {
    fn of(problem: &Problem) -> ProblemInfo {
        let number = |value: Option<u64>| value.map(|value| value as f64);
        ProblemInfo {
            kind: problem.kind,
            severity: problem.severity.name(),
            message: problem.message.clone(),
            path: problem.path.as_ref().map(|path| {
                let mut text = String::from("/");
                text.push_str(&String::from_utf8_lossy(path));
                text
            }),
            offset: number(problem.offset),
            cluster: number(problem.cluster),
            expected: number(problem.expected),
            found: number(problem.found),
            advice: problem.advice,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReportInfo {
    ok: bool,
    clusters_checked: f64,
    bytes_checked: f64,
    files: f64,
    directories: f64,
    frames: f64,
    frames_decoded_twice: f64,
    parity_stripes: f64,
    parity_stale: bool,
    problems: Vec<ProblemInfo>,
    problems_truncated: bool,
}

impl ReportInfo {
    fn of(report: &Report) -> ReportInfo {
        ReportInfo {
            ok: report.is_ok(),
            clusters_checked: report.clusters_checked as f64,
            bytes_checked: report.bytes_checked() as f64,
            files: report.files as f64,
            directories: report.directories as f64,
            frames: report.frames as f64,
            frames_decoded_twice: report.frames_decoded_twice as f64,
            parity_stripes: report.parity_stripes as f64,
            parity_stale: report.parity_stale,
            problems: report.problems.iter().map(ProblemInfo::of).collect(),
            problems_truncated: report.problems_truncated,
        }
    }
}

#[wasm_bindgen]
impl Map {
    /// Looks at every structure of the map. A map that can be written is checkpointed first, so
    /// that the picture as a whole can be judged.
    pub fn verify(&self, options: JsValue, progress: Option<Function>) -> JsResult<JsValue> {
        let options: Options = parse(options)?;
        let options = VerifyOptions { deep: options.deep };
        self.checkpoint()?;
        let mut told = |done: u64, total: u64| match &progress {
            Some(callback) => goes_on(callback, done as f64, total as f64),
            None => true,
        };
        let report =
            self.map.read(|fs| check::verify(fs, options, &mut told)).map_err(error::throw)?;
        object(&ReportInfo::of(&report))
    }
}
