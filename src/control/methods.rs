//! What each method does. `docs/CONTROL.md` documents them; its test compares the names.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map as Object, Value, json};

use super::Host;
use super::message::Failure;
use crate::base::{Code, Error, Result};
use crate::check::VerifyOptions;
use crate::fs::Fs;
use crate::map::Map;
use crate::report::{
    CacheReport, CompressInfo, CompressRequest, Info, SettingsChange, SettingsInfo, SnapshotInfo,
    Statfs, Stats, VerifyReport, VerifyRequest, ZoneInfo,
};

/// What a cache budget may be: 1 MiB to 64 GiB.
const CACHE_BUDGETS: RangeInclusive<usize> = 1 << 20..=1 << 36;

/// What methods work on.
pub(super) struct Context {
    pub map: Arc<Map>,
    pub host: Arc<dyn Host>,
    /// When the socket was made.
    pub since: String,
    /// A check is under way.
    pub checking: AtomicBool,
}

type Outcome = std::result::Result<Value, Failure>;
/// A method that answers at once.
pub(super) type Short = Box<dyn FnOnce(&Context) -> Outcome + Send>;
/// A method that takes its time: told how far it is, `false` ends it.
pub(super) type Long =
    Box<dyn FnOnce(&Context, &mut dyn FnMut(u64, u64) -> bool) -> Outcome + Send>;

pub(super) enum Method {
    Short(Short),
    Long(Long),
}

impl Method {
    /// The method of that name, with its params taken.
    pub fn of(name: &str, params: Object<String, Value>) -> Result<Method, Failure> {
        let names: &[&str] = match name {
            "cache" => &["budget", "drop"],
            "compress" => &["all", "level", "path"],
            "config" => &["compression", "label", "level", "parity", "rules"],
            "snapshot.create" => &["name", "note"],
            "snapshot.delete" | "snapshot.restore" => &["name"],
            "unmount" => &["lazy"],
            "verify" => &["deep"],
            _ => &[],
        };
        let known = |name: &str, params: Object<String, Value>| match params
            .keys()
            .find(|key| !names.contains(&key.as_str()))
        {
            Some(key) => {
                let key: String = key.chars().take(64).collect();
                Err(Failure::invalid(format!("'{name}' has no parameter '{key}'")))
            }
            None => Ok(Params(params)),
        };
        let checked = |params| known(name, params);
        Ok(Method::Short(match name {
            "cache" => {
                let mut params = checked(params)?;
                let (drop, budget) = (params.optional("drop")?, params.optional("budget")?);
                Box::new(move |context| cache(context, drop.unwrap_or(false), budget))
            }
            "checkpoint" => {
                checked(params)?;
                Box::new(checkpoint)
            }
            "compress" => {
                let request: CompressRequest = checked(params)?.all()?;
                return Ok(Method::Long(Box::new(move |context, progress| {
                    compress(context, &request, progress)
                })));
            }
            "config" => {
                let change: SettingsChange = checked(params)?.all()?;
                Box::new(|context| config(context, change))
            }
            "info" => {
                checked(params)?;
                Box::new(info)
            }
            "settings" => {
                checked(params)?;
                Box::new(|context| value(&context.map.read(SettingsInfo::of)))
            }
            "snapshot.create" => {
                let mut params = checked(params)?;
                let name: String = params.one("name")?;
                let note: Option<String> = params.optional("note")?;
                Box::new(move |context| {
                    context.snapshot(&|fs| {
                        let note = note.as_deref().unwrap_or_default().as_bytes();
                        fs.create_snapshot(name.as_bytes(), note)
                            .map(|made| SnapshotInfo::of(&made))
                    })
                })
            }
            "snapshot.delete" => {
                let name: String = checked(params)?.one("name")?;
                Box::new(move |context| snapshot_delete(context, &name))
            }
            "snapshot.list" => {
                checked(params)?;
                Box::new(|context| value(&context.map.read(SnapshotInfo::all)?))
            }
            "snapshot.restore" => {
                let name: String = checked(params)?.one("name")?;
                Box::new(move |context| {
                    let replaced = std::cell::Cell::new(None);
                    let kept = context.snapshot(&|fs| {
                        let kept = fs.restore_snapshot(name.as_bytes())?;
                        replaced.set(Some(kept.view()));
                        Ok(SnapshotInfo::of(&kept))
                    });
                    // Also where making it durable failed: it has happened nevertheless.
                    if let Some(before) = replaced.get() {
                        context.host.content_replaced(before);
                    }
                    kept
                })
            }
            "statfs" => {
                checked(params)?;
                Box::new(|context| value(&context.map.read(Statfs::of)))
            }
            "stats" => {
                checked(params)?;
                Box::new(stats)
            }
            "status" => {
                checked(params)?;
                Box::new(status)
            }
            "sync" => {
                checked(params)?;
                Box::new(sync)
            }
            "unmount" => {
                let lazy: Option<bool> = checked(params)?.optional("lazy")?;
                Box::new(move |context| {
                    context.host.unmount(lazy.unwrap_or(false))?;
                    Ok(json!({}))
                })
            }
            "verify" => {
                let request: VerifyRequest = checked(params)?.all()?;
                return Ok(Method::Long(Box::new(move |context, progress| {
                    verify(context, request, progress)
                })));
            }
            "zones" => {
                checked(params)?;
                Box::new(|context| value(&context.map.read(ZoneInfo::all)?))
            }
            _ => return Err(Failure::unknown_method(name)),
        }))
    }
}

/// The params of a request, with known names only.
struct Params(Object<String, Value>);

impl Params {
    fn all<T: DeserializeOwned>(self) -> Result<T, Failure> {
        serde_json::from_value(Value::Object(self.0))
            .map_err(|error| Failure::invalid(format!("the params are wrong: {error}")))
    }

    fn optional<T: DeserializeOwned>(&mut self, name: &str) -> Result<Option<T>, Failure> {
        let found = self.0.remove(name).unwrap_or_default();
        serde_json::from_value(found)
            .map_err(|error| Failure::invalid(format!("the parameter '{name}' is wrong: {error}")))
    }

    fn one<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, Failure> {
        let found = self.optional(name)?;
        found.ok_or_else(|| Failure::invalid(format!("the parameter '{name}' is missing")))
    }
}

fn value<T: Serialize>(of: &T) -> Outcome {
    serde_json::to_value(of).map_err(|error| {
        Error::new(Code::Io, format!("a result cannot be written as JSON: {error}")).into()
    })
}

impl Context {
    fn check_writable(&self) -> Result<()> {
        match self.host.read_only() {
            Some(reason) => Err(Error::new(Code::ReadOnly, reason)),
            None => self.map.read(|fs| fs.store().check_writable()),
        }
    }

    /// A change of the snapshots, of everything written so far, made durable.
    fn snapshot(&self, change: &dyn Fn(&mut Fs) -> Result<SnapshotInfo>) -> Outcome {
        self.check_writable()?;
        self.host.before()?;
        let info = self.map.write(change)?;
        self.map.sync()?;
        value(&info)
    }
}

fn info(context: &Context) -> Outcome {
    let map = &context.map;
    value(&map.read(|fs| Info::of(fs, map.form(), context.host.view()))?)
}

fn stats(context: &Context) -> Outcome {
    let mut stats = value(&context.map.read(Stats::of))?;
    stats["mount"] = context.host.requests();
    Ok(stats)
}

fn status(context: &Context) -> Outcome {
    let host = &*context.host;
    let (failure, recovered, buffered, log) = context.map.read(|fs| {
        let store = fs.store();
        let failure = store.failure().map(ToString::to_string);
        (failure, store.was_recovered(), fs.buffered_bytes(), store.log_len())
    });
    let (state, reason) = match (failure, host.read_only()) {
        (Some(failure), _) => ("degraded", Some(failure)),
        (None, Some(reason)) => ("read-only", Some(reason)),
        (None, None) => ("read-write", None),
    };
    let mut status = json!({
        "map": host.map_path().to_string_lossy(),
        "mountPoint": host.mount_point().map(|path| path.to_string_lossy().into_owned()),
        "pid": std::process::id(),
        "since": context.since,
        "state": state,
        "reason": reason,
        "recovered": recovered,
        "options": {},
        "bufferedBytes": buffered,
        "logBytes": log,
    });
    if let Some(members) = status.as_object_mut() {
        members.extend(host.status());
    }
    Ok(status)
}

fn sync(context: &Context) -> Outcome {
    context.host.before()?;
    context.map.sync()?;
    Ok(json!({}))
}

fn checkpoint(context: &Context) -> Outcome {
    if context.host.read_only().is_none() {
        context.host.before()?;
        context.map.checkpoint()?;
    }
    Ok(json!({}))
}

fn config(context: &Context, change: SettingsChange) -> Outcome {
    if !change.is_empty() {
        context.check_writable()?;
        context.map.write(|fs| {
            let mut settings = fs.settings().clone();
            change.apply(&mut settings)?;
            fs.configure(settings)
        })?;
        context.map.sync()?;
    }
    value(&context.map.read(SettingsInfo::of))
}

fn cache(context: &Context, drop: bool, budget: Option<u64>) -> Outcome {
    if let Some(bytes) = budget {
        let sane = usize::try_from(bytes).ok().filter(|bytes| CACHE_BUDGETS.contains(bytes));
        let Some(bytes) = sane else {
            let (least, most) = (CACHE_BUDGETS.start(), CACHE_BUDGETS.end());
            let what = format!("a cache budget of {bytes} bytes is not from {least} to {most}");
            return Err(Error::new(Code::Invalid, what).into());
        };
        context.map.write(|fs| fs.set_cache_budget(bytes));
    }
    if drop {
        context.map.read(Fs::drop_caches);
    }
    value(&context.map.read(CacheReport::of))
}

fn snapshot_delete(context: &Context, name: &str) -> Outcome {
    context.check_writable()?;
    let shown = context.map.read(|fs| fs.snapshot(name.as_bytes()))?.view();
    if context.host.view() == shown {
        return Err(Error::new(Code::Busy, "this snapshot is mounted").into());
    }
    context.map.write(|fs| fs.delete_snapshot(name.as_bytes()))?;
    context.map.sync()?;
    Ok(json!({}))
}

fn compress(
    context: &Context,
    request: &CompressRequest,
    progress: &mut dyn FnMut(u64, u64) -> bool,
) -> Outcome {
    context.check_writable()?;
    context.host.before()?;
    let path = request.path.as_deref().unwrap_or("/").as_bytes();
    let sum = context.map.compress(path, request.level, request.all, progress)?;
    context.map.sync()?;
    value(&CompressInfo::of(sum))
}

fn verify(
    context: &Context,
    request: VerifyRequest,
    progress: &mut dyn FnMut(u64, u64) -> bool,
) -> Outcome {
    if context.checking.swap(true, Ordering::AcqRel) {
        return Err(Error::new(Code::Busy, "a check is under way already").into());
    }
    let report = context.map.verify_in_use(VerifyOptions { deep: request.deep }, progress);
    context.checking.store(false, Ordering::Release);
    value(&VerifyReport::of(&report?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn params_are_looked_at_before_anything_runs() {
        let object = |value: Value| value.as_object().cloned().unwrap();
        let fails = |name: &str, params: Value| Method::of(name, object(params)).err().unwrap();
        assert_eq!(fails("nothing", json!({})).code, "ENOSYS");
        assert_eq!(fails("info", json!({"a": 1})).message, "'info' has no parameter 'a'");
        assert_eq!(fails("snapshot.create", json!({})).message, "the parameter 'name' is missing");
        assert_eq!(fails("snapshot.create", json!({"name": 7})).code, "EINVAL");
        assert_eq!(fails("verify", json!({"deep": "yes"})).code, "EINVAL");
        assert_eq!(fails("config", json!({"level": 1e99})).code, "EINVAL");
        assert!(matches!(Method::of("verify", object(json!({}))), Ok(Method::Long(_))));
        assert!(Method::of("unmount", object(json!({"lazy": null}))).is_ok());
    }
}
