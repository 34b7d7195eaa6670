//! Runs every test in a process of its own: a time-out ends it, what it mounted is unmounted and
//! what it started is ended, whatever state it died in.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::mount::UnmountFlags;
use rustix::process::{
    Pid, Signal, kill_process, kill_process_group, set_parent_process_death_signal,
};

use crate::ground::{Ground, Installed, reference};
use crate::process::{is_root, mounts};

/// How a test ended that did not fail.
pub enum Done {
    Passed,
    Skipped(String),
    /// Of a program that runs many tests itself.
    Counted {
        passed: u64,
        failed: u64,
        skipped: u64,
    },
}

pub fn skip(reason: impl Into<String>) -> Done {
    Done::Skipped(reason.into())
}

/// What a test cannot do without.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// A filesystem; any correct one passes.
    Files,
    /// A filesystem, and root, to act as other users.
    Users,
    /// The mount itself: its options, its socket, its death.
    Mount,
    /// The same, and root.
    MountAsRoot,
}

pub struct Test {
    pub name: &'static str,
    pub needs: Needs,
    /// After so long it has failed.
    pub seconds: u64,
    pub body: fn(&Ground) -> Done,
}

impl Test {
    /// What is missing here.
    fn missing(&self) -> Option<&'static str> {
        let as_root = matches!(self.needs, Needs::Users | Needs::MountAsRoot);
        let on_mount = matches!(self.needs, Needs::Mount | Needs::MountAsRoot);
        if as_root && !is_root() {
            Some("needs root")
        } else if on_mount && reference().is_some() {
            Some("concerns the mount, not the reference")
        } else {
            None
        }
    }
}

/// Seconds for what should take one.
pub const SHORT: u64 = 60;

/// The arguments are names of tests, or parts of names; none means all.
pub fn main(tables: &[&[Test]]) -> ExitCode {
    let tests: Vec<&Test> = tables.iter().copied().flatten().collect();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["--one", name, folder] => return run_here(&tests, name, Path::new(folder)),
        ["--help-a-test", helper, ref rest @ ..] => return crate::locks::helper(helper, rest),
        _ => {}
    }
    if words.contains(&"--list") {
        for test in tests {
            println!("{}: test", test.name);
        }
        return ExitCode::SUCCESS;
    }
    let filters: Vec<&str> = words.into_iter().filter(|word| !word.starts_with('-')).collect();
    let chosen: Vec<&Test> = tests
        .into_iter()
        .filter(|test| filters.is_empty() || filters.iter().any(|part| test.name.contains(part)))
        .collect();
    run_all(&chosen)
}

#[derive(Clone, Copy, Default)]
struct Counts {
    passed: u64,
    failed: u64,
    skipped: u64,
}

fn run_all(tests: &[&Test]) -> ExitCode {
    println!("\nrunning {} tests", tests.len());
    let start = Instant::now();
    if reference().is_none() && !Path::new("/dev/fuse").exists() {
        println!("skipped: no /dev/fuse\n");
        println!("test result: ok. 0 passed; 0 failed; {} ignored", tests.len());
        return ExitCode::SUCCESS;
    }
    clean_up_after_the_dead();
    let root = std::env::temp_dir().join(format!("{PREFIX}{}", std::process::id()));
    fs::create_dir_all(&root).expect("a folder for temporary files");
    let installed = (reference().is_none() && is_root()).then(Installed::new).flatten();
    let next = AtomicUsize::new(0);
    let counts = Mutex::new(Counts::default());
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..jobs() {
            scope.spawn(|| {
                while let Some(test) = tests.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let began = Instant::now();
                    let (done, log) = match test.missing() {
                        Some(missing) => (Ok(skip(missing)), String::new()),
                        None => run_apart(test, &root.join(test.name)),
                    };
                    let seconds = began.elapsed().as_secs_f64();
                    let mut counts = counts.lock().unwrap();
                    let said = match done {
                        Ok(Done::Passed) => {
                            counts.passed += 1;
                            "ok".to_owned()
                        }
                        Ok(Done::Skipped(why)) => {
                            counts.skipped += 1;
                            format!("skipped: {why}")
                        }
                        Ok(Done::Counted { passed, failed, skipped }) => {
                            counts.passed += passed;
                            counts.failed += failed;
                            counts.skipped += skipped;
                            if failed > 0 {
                                failures.lock().unwrap().push((test.name, log));
                            }
                            format!("{passed} passed, {failed} failed, {skipped} skipped")
                        }
                        Err(why) => {
                            counts.failed += 1;
                            failures.lock().unwrap().push((test.name, log));
                            format!("FAILED: {why}")
                        }
                    };
                    println!("test {} ... {said} ({seconds:.1} s)", test.name);
                }
            });
        }
    });
    drop(installed);
    drop(fs::remove_dir(&root));
    let failures = failures.into_inner().unwrap();
    for (name, log) in &failures {
        println!("\n---- {name} ----\n{}", tail(log));
        println!("repeat with: cargo test --test fuse -- {name}");
    }
    let Counts { passed, failed, skipped } = counts.into_inner().unwrap();
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {word}. {passed} passed; {failed} failed; {skipped} ignored; \
         finished in {:.1}s\n",
        start.elapsed().as_secs_f64()
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Folders of a run are named so, with the runner's process number behind.
const PREFIX: &str = "aetherflow-mount-";

/// A runner that was interrupted has left mounts and folders.
fn clean_up_after_the_dead() {
    for entry in fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let runner = name.strip_prefix(PREFIX).and_then(|number| number.parse::<u32>().ok());
        if runner.is_some_and(|pid| !crate::ground::is_running(pid)) {
            clean(&entry.path());
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}

fn jobs() -> usize {
    let asked = std::env::var("AETHERFLOW_TEST_JOBS").ok().and_then(|text| text.parse().ok());
    let cores = thread::available_parallelism().map_or(2, usize::from);
    asked.unwrap_or_else(|| cores.clamp(2, 4))
}

fn tail(log: &str) -> &str {
    const KEPT: usize = 6000;
    let start = log.len().saturating_sub(KEPT);
    let start = (start..log.len()).find(|at| log.is_char_boundary(*at)).unwrap_or(log.len());
    &log[start..]
}

/// Runs one test in this process, which exists for it alone.
fn run_here(tests: &[&Test], name: &str, folder: &Path) -> ExitCode {
    // An interrupted run ends here as well.
    let _ = set_parent_process_death_signal(Some(Signal::TERM));
    let test = tests.iter().find(|test| test.name == name).expect("the runner knows its tests");
    let done = (test.body)(&Ground::new(folder));
    let said = match done {
        Done::Passed => "passed".to_owned(),
        Done::Skipped(why) => format!("skipped {why}"),
        Done::Counted { passed, failed, skipped } => format!("counted {passed} {failed} {skipped}"),
    };
    fs::write(result_file(folder), said).expect("the result is written");
    ExitCode::SUCCESS
}

fn result_file(folder: &Path) -> PathBuf {
    folder.join("result")
}

/// Starts the process of a test, waits for it, and cleans up behind it.
fn run_apart(test: &Test, folder: &Path) -> (Result<Done, String>, String) {
    let run = || -> Result<(ExitStatus, bool), String> {
        let wrong = |error: std::io::Error| format!("the runner: {error}");
        fs::create_dir_all(folder).map_err(wrong)?;
        let log = File::create(folder.join("log")).map_err(wrong)?;
        let program = std::env::current_exe().map_err(wrong)?;
        let mut child = Command::new(program)
            .args(["--one", test.name])
            .arg(folder)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(wrong)?)
            .stderr(log)
            .process_group(0)
            .spawn()
            .map_err(wrong)?;
        let on_time = wait(&mut child, Duration::from_secs(test.seconds)).map_err(wrong)?;
        if on_time.is_none() {
            drop(fs::write(folder.join("hung.daemon.log"), where_they_wait(folder)));
        }
        if on_time.is_none()
            && let Some(group) = Pid::from_raw(child.id().cast_signed())
        {
            let _ = kill_process_group(group, Signal::KILL);
        }
        // What hangs in the mount hangs until the mount is gone.
        clean(folder);
        let status = on_time.map_or_else(|| child.wait(), Ok).map_err(wrong)?;
        Ok((status, on_time.is_some()))
    };
    let ended = run();
    let log = fs::read(folder.join("log")).unwrap_or_default();
    let mut log = String::from_utf8_lossy(&log).into_owned();
    for extra in daemon_logs(folder) {
        log.push_str(&extra);
    }
    let said = fs::read_to_string(result_file(folder)).unwrap_or_default();
    let done = ended.and_then(|(status, on_time)| match (on_time, status.success()) {
        (false, _) => Err(format!("not done after {} s", test.seconds)),
        (true, false) => Err(status.to_string()),
        (true, true) => parse(&said).ok_or_else(|| "ended without a result".to_owned()),
    });
    drop(fs::remove_dir_all(folder));
    (done, log)
}

fn parse(said: &str) -> Option<Done> {
    let (word, rest) = said.split_once(' ').unwrap_or((said, ""));
    match word {
        "passed" => Some(Done::Passed),
        "skipped" => Some(Done::Skipped(rest.to_owned())),
        "counted" => {
            let mut numbers = rest.split(' ').map_while(|number| number.parse().ok());
            let (passed, failed) = (numbers.next()?, numbers.next()?);
            Some(Done::Counted { passed, failed, skipped: numbers.next()? })
        }
        _ => None,
    }
}

/// What the mounts' own processes said, for a failure.
fn daemon_logs(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let logs = entries.filter(|entry| entry.file_name().to_string_lossy().ends_with(".daemon.log"));
    logs.filter_map(|entry| {
        let text = fs::read(entry.path()).ok().filter(|text| !text.is_empty())?;
        let text = String::from_utf8_lossy(&text).into_owned();
        Some(format!("\n{}:\n{}", entry.file_name().display(), tail(&text)))
    })
    .collect()
}

/// Waits for at most `limit`; `None` when the process still runs then.
pub fn wait(child: &mut Child, limit: Duration) -> std::io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + limit;
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            return Ok(None);
        }
        thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Processes, other than the runner, that name the folder of a test in their arguments. The
/// folder's name holds the runner's process number, so it is nobody else's.
fn processes_of(folder: &Path) -> Vec<Pid> {
    let name = format!("{}/", folder.display());
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let is_named = |pid: &Pid| {
        let path = format!("/proc/{}/cmdline", pid.as_raw_nonzero());
        let bytes = fs::read(path).unwrap_or_default();
        // Each argument ends with a slash, so that the folder itself is found as well.
        let arguments = String::from_utf8_lossy(&bytes).replace('\0', "/ ");
        pid.as_raw_nonzero().get().unsigned_abs() != std::process::id() && arguments.contains(&name)
    };
    entries
        .filter_map(|entry| entry.file_name().to_str().and_then(|text| text.parse().ok()))
        .filter_map(Pid::from_raw)
        .filter(is_named)
        .collect()
}

/// What every thread of a hanging test and of its helpers waits for, as far as we may know.
fn where_they_wait(folder: &Path) -> String {
    let mut text = String::new();
    for pid in processes_of(folder) {
        let base = PathBuf::from(format!("/proc/{}", pid.as_raw_nonzero()));
        for task in fs::read_dir(base.join("task")).into_iter().flatten().flatten() {
            let read = |name: &str| fs::read_to_string(task.path().join(name)).unwrap_or_default();
            let stack: Vec<String> = read("stack").lines().take(6).map(str::to_owned).collect();
            let (name, place) = (read("comm"), read("wchan"));
            text +=
                &format!("{} {}: {place} {}\n", pid.as_raw_nonzero(), name.trim(), stack.join(" "));
        }
    }
    text
}

/// Ends every process of a test, and takes away every mount below its folder.
fn clean(folder: &Path) {
    let detach = || {
        for mount in mounts().iter().rev().filter(|mount| mount.point.starts_with(folder)) {
            let _ = rustix::mount::unmount(&*mount.point, UnmountFlags::DETACH);
        }
    };
    detach();
    for pid in processes_of(folder) {
        let _ = kill_process(pid, Signal::KILL);
    }
    // A mount may have come up between the two.
    detach();
}
