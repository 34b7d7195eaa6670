//! What a check found, as plain objects.

use serde::Serialize;

use super::Number;
use crate::check::{Problem, Report};

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProblemInfo {
    pub kind: &'static str,
    pub severity: &'static str,
    pub message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<Number>,
    pub advice: &'static str,
}

impl ProblemInfo {
    fn of(problem: &Problem) -> ProblemInfo {
        ProblemInfo {
            kind: problem.kind,
            severity: problem.severity.name(),
            message: problem.message.clone(),
            path: problem.path.as_ref().map(|path| {
                let mut text = String::from("/");
                text.push_str(&String::from_utf8_lossy(path));
                text
            }),
            offset: problem.offset.map(Number::from),
            cluster: problem.cluster.map(Number::from),
            expected: problem.expected.map(Number::from),
            found: problem.found.map(Number::from),
            advice: problem.advice,
        }
    }
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifyReport {
    pub ok: bool,
    pub clusters_checked: Number,
    pub bytes_checked: Number,
    pub files: Number,
    pub directories: Number,
    pub frames: Number,
    pub frames_decoded_twice: Number,
    pub parity_stripes: Number,
    pub parity_stale: bool,
    pub problems: Vec<ProblemInfo>,
    pub problems_truncated: bool,
}

impl VerifyReport {
    pub fn of(report: &Report) -> VerifyReport {
        VerifyReport {
            ok: report.is_ok(),
            clusters_checked: report.clusters_checked.into(),
            bytes_checked: report.bytes_checked().into(),
            files: report.files.into(),
            directories: report.directories.into(),
            frames: report.frames.into(),
            frames_decoded_twice: report.frames_decoded_twice.into(),
            parity_stripes: report.parity_stripes.into(),
            parity_stale: report.parity_stale,
            problems: report.problems.iter().map(ProblemInfo::of).collect(),
            problems_truncated: report.problems_truncated,
        }
    }
}
