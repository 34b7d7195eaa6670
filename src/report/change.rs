//! Requests as plain objects.

use serde::Deserialize;

use crate::base::{Code, Error, Result};
use crate::fs::rules::Rule;
use crate::fs::{Compression, Settings};

/// The part of the settings an object names.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SettingsChange {
    pub compression: Option<String>,
    pub level: Option<i32>,
    pub parity: Option<bool>,
    pub label: Option<String>,
    pub rules: Option<Vec<(String, u8)>>,
}

impl SettingsChange {
    /// Whether nothing is named.
    pub fn is_empty(&self) -> bool {
        self.compression.is_none()
            && self.level.is_none()
            && self.parity.is_none()
            && self.label.is_none()
            && self.rules.is_none()
    }

    /// Changes what is named.
    ///
    /// # Errors
    /// `Invalid` for a compression of another name, or a rule's pattern.
    pub fn apply(self, settings: &mut Settings) -> Result<()> {
        if let Some(name) = self.compression {
            settings.compression = Compression::of_name(&name).ok_or_else(|| {
                Error::new(Code::Invalid, format!("compression '{name}' is not off, zone or all"))
            })?;
        }
        settings.level = self.level.unwrap_or(settings.level);
        settings.parity = self.parity.unwrap_or(settings.parity);
        if let Some(label) = self.label {
            settings.label = label.into_bytes();
        }
        if let Some(rules) = self.rules {
            settings.rules = rules
                .iter()
                .map(|(pattern, importance)| Rule::new(pattern, *importance))
                .collect::<Result<_>>()?;
        }
        Ok(())
    }
}

/// What to compress.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct CompressRequest {
    /// A file or a directory; the whole map where `None`.
    pub path: Option<String>,
    /// The map's own level where `None`.
    pub level: Option<i32>,
    /// Also what is compressed already.
    pub all: bool,
}

/// How to check.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub struct VerifyRequest {
    pub deep: bool,
}
