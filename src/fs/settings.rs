//! Settings that live in the map.

use super::rules::{MAX_RULES, Rule, default_rules};
use super::{Fs, SYSTEM};
use crate::base::bytes::{Put, Reader};
use crate::base::limits::MAX_NAME;
use crate::base::{Code, Error, Result};
use crate::tree::edit::{self, Existing};
use crate::tree::{Cursor, Key, item};

/// Which file data is compressed when it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// None.
    #[default]
    Off,
    /// What belongs in the temperate zone or further out.
    Zone,
    /// All of it.
    All,
}

impl Compression {
    pub fn name(self) -> &'static str {
        match self {
            Compression::Off => "off",
            Compression::Zone => "zone",
            Compression::All => "all",
        }
    }

    /// The policy of that name.
    pub fn of_name(name: &str) -> Option<Compression> {
        [Compression::Off, Compression::Zone, Compression::All]
            .into_iter()
            .find(|policy| policy.name() == name)
    }
}

/// See the fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub compression: Compression,
    /// zstd level, 1..=19.
    pub level: i32,
    /// Importance rules of this map, before the default ones.
    pub rules: Vec<Rule>,
    /// The default rules; always the same.
    pub defaults: Vec<Rule>,
    /// Keep parity up to date at close.
    pub parity: bool,
    /// Free text, up to 255 bytes.
    pub label: Vec<u8>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            compression: Compression::Off,
            level: crate::codec::frame::LEVEL_DEFAULT,
            rules: Vec::new(),
            defaults: default_rules(),
            parity: true,
            label: Vec::new(),
        }
    }
}

/// Bytes of the settings in one item.
const PIECE: usize = 900;

impl Fs {
    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Replaces the settings.
    ///
    /// # Errors
    /// `Invalid` for a level outside 1..=19, too many rules or too long a label; `ReadOnly`.
    pub fn configure(&mut self, settings: Settings) -> Result<()> {
        let invalid = |what: String| Err(Error::new(Code::Invalid, what));
        if !(1..=19).contains(&settings.level) {
            return invalid(format!("compression level {} is not from 1 to 19", settings.level));
        }
        if settings.rules.len() > MAX_RULES {
            return invalid(format!("{} rules, {MAX_RULES} fit", settings.rules.len()));
        }
        if settings.label.len() > MAX_NAME {
            return invalid(format!("a label of {} bytes, 255 fit", settings.label.len()));
        }
        let bytes = encode(&settings);
        self.store.atomically(|store| {
            let mut root = store.state().catalog;
            let mut piece = 0;
            loop {
                let key = Key::new(SYSTEM, item::SETTING, piece);
                let from = (piece as usize * PIECE).min(bytes.len());
                let to = (from + PIECE).min(bytes.len());
                if from < to {
                    edit::insert(store, &mut root, key, &bytes[from..to], Existing::Replace)?;
                } else if !edit::remove(store, &mut root, key)? {
                    break;
                }
                piece += 1;
            }
            store.state_mut().catalog = root;
            Ok(())
        })?;
        self.store.set_label(&settings.label);
        self.store.set_parity(settings.parity);
        self.settings = settings;
        Ok(())
    }

    pub(super) fn read_settings(&self) -> Result<Settings> {
        let root = self.store.state().catalog;
        let start = Key::new(SYSTEM, item::SETTING, 0);
        let mut cursor = Cursor::at(&self.store, &root, start)?;
        let mut bytes = Vec::new();
        while let Some(piece) = cursor.next_in(start)? {
            bytes.extend_from_slice(&piece);
        }
        let mut settings = decode(&bytes)?;
        settings.label = self.store.superblock().label.clone();
        settings.parity = self.store.superblock().parity;
        Ok(settings)
    }
}

/// `compression u8, level u8, count u16`, then for each rule `importance u8, length u16,
/// pattern`. Label and parity stand in the superblock.
fn encode(settings: &Settings) -> Vec<u8> {
    let mut out = Vec::new();
    out.put_u8(settings.compression as u8);
    out.put_u8(settings.level as u8);
    out.put_u16(settings.rules.len() as u16);
    for rule in &settings.rules {
        out.put_u8(rule.importance());
        out.put_u16(rule.pattern().len() as u16);
        out.put(rule.pattern().as_bytes());
    }
    out
}

pub(super) fn decode(bytes: &[u8]) -> Result<Settings> {
    let mut settings = Settings::default();
    if bytes.is_empty() {
        return Ok(settings);
    }
    let broken = || Error::corrupt("the map's settings are damaged");
    let mut reader = Reader::new(bytes);
    settings.compression = match reader.u8()? {
        0 => Compression::Off,
        1 => Compression::Zone,
        2 => Compression::All,
        _ => return Err(broken()),
    };
    settings.level = i32::from(reader.u8()?).clamp(1, 19);
    for _ in 0..reader.u16()? {
        let importance = reader.u8()?;
        let length = reader.u16()?;
        let pattern = std::str::from_utf8(reader.take(usize::from(length))?);
        settings.rules.push(Rule::new(pattern.map_err(|_| broken())?, importance)?);
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_survive_the_round_trip() {
        let mut settings =
            Settings { compression: Compression::Zone, level: 7, ..Settings::default() };
        settings.rules.push(Rule::new("^a/ & b", 3).unwrap());
        assert_eq!(decode(&encode(&settings)).unwrap(), settings);
        assert!(decode(&encode(&settings)[..6]).is_err());
    }
}
