//! Running programs and steps: what is printed, what is kept, and what a failure says.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

/// A failure is a sentence for a person: what failed and what to do.
pub type Result<T = ()> = std::result::Result<T, String>;

/// The folder of the clone.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies one level below the root")
}

/// Where cargo builds, honouring `CARGO_TARGET_DIR`.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// Prints the title of a step, runs it, and prints how long it took.
pub fn step<T>(title: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("==> {title}");
    let start = Instant::now();
    let result = work().map_err(|why| format!("step '{title}' failed: {why}"));
    if result.is_ok() {
        println!("    {:.1} s", start.elapsed().as_secs_f64());
    }
    result
}

/// One call of a program.
pub struct Tool {
    command: Command,
    line: String,
    advice: &'static str,
}

impl Tool {
    /// A call of `program` from the root of the clone.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let program = program.as_ref();
        let mut command = Command::new(program);
        command.current_dir(root()).stdin(Stdio::null());
        Self { command, line: program.to_string_lossy().into_owned(), advice: "" }
    }

    /// The cargo that started us, so that a chosen toolchain stays chosen.
    pub fn cargo() -> Self {
        let mut tool = Self::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        tool.line = "cargo".into();
        tool
    }

    pub fn node() -> Self {
        Self::new("node")
    }

    /// npm, which is a script with another name on Windows.
    pub fn npm() -> Self {
        Self::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
    }

    pub fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(mut self, arguments: I) -> Self {
        for argument in arguments {
            self.line.push(' ');
            self.line.push_str(&argument.as_ref().to_string_lossy());
            self.command.arg(argument);
        }
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn folder(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// What to do when it fails.
    pub fn advice(mut self, advice: &'static str) -> Self {
        self.advice = advice;
        self
    }

    /// Runs it with its output on ours.
    pub fn run(mut self) -> Result {
        let status = self.command.status().map_err(|error| self.not_started(&error))?;
        if status.success() { Ok(()) } else { Err(self.failed(&status.to_string(), "")) }
    }

    /// Runs it silently and returns its standard output.
    pub fn output(mut self) -> Result<String> {
        let output = self.command.output().map_err(|error| self.not_started(&error))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(self.failed(&output.status.to_string(), &said))
    }

    /// Runs it with its output on ours, and returns whether it succeeded with all it printed.
    pub fn tee(mut self) -> Result<(bool, String)> {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().map_err(|error| self.not_started(&error))?;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let errors = child.stderr.take().map(|pipe| copy(pipe, Arc::clone(&seen)));
        let output = child.stdout.take().map(|pipe| copy(pipe, Arc::clone(&seen)));
        for reader in [errors, output].into_iter().flatten() {
            reader.join().map_err(|_| "a reader of the output stopped".to_string())?;
        }
        let status = child.wait().map_err(|error| self.not_started(&error))?;
        let seen = seen.lock().map_err(|_| "a reader of the output stopped".to_string())?;
        Ok((status.success(), String::from_utf8_lossy(&seen).into_owned()))
    }

    fn not_started(&self, error: &io::Error) -> String {
        format!("`{}` does not start: {error}{}", self.line, self.advise())
    }

    fn failed(&self, status: &str, said: &str) -> String {
        let said = if said.is_empty() { String::new() } else { format!("\n{}", said.trim_end()) };
        format!("`{}` ended with {status}{said}{}", self.line, self.advise())
    }

    fn advise(&self) -> String {
        if self.advice.is_empty() {
            String::new()
        } else {
            format!("\n  what to do: {}", self.advice)
        }
    }
}

fn copy(mut pipe: impl Read + Send + 'static, seen: Arc<Mutex<Vec<u8>>>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(count @ 1..) = pipe.read(&mut buffer) {
            // A closed terminal is no reason to stop the build.
            let _ = io::stdout().write_all(&buffer[..count]);
            let _ = io::stdout().flush();
            if let Ok(mut seen) = seen.lock() {
                seen.extend_from_slice(&buffer[..count]);
            }
        }
    })
}

/// A list of literals as arguments.
pub fn words(parts: &[&str]) -> Vec<OsString> {
    parts.iter().map(OsString::from).collect()
}

/// All files below `folder` in a stable order, without what is built or fetched.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    const NOT_OURS: [&str; 6] = ["node_modules", "target", "pkg", "dist", ".git", "bench-results"];
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_file() {
                found.push(path);
            } else if kind.is_dir() && !NOT_OURS.iter().any(|name| entry.file_name() == *name) {
                folders.push(path);
            }
        }
    }
    found.sort();
    found
}

/// One number for the content of files and folders, to see whether anything changed.
pub fn fingerprint(inputs: &[&str]) -> String {
    let mut hasher = DefaultHasher::new();
    for input in inputs {
        let path = root().join(input);
        let paths = if path.is_dir() { files(&path) } else { vec![path] };
        for path in paths {
            path.hash(&mut hasher);
            fs::read(&path).unwrap_or_default().hash(&mut hasher);
        }
    }
    format!("{:016x}", hasher.finish())
}

/// A file under the target folder remembering the fingerprint of what was last built.
pub struct Stamp(PathBuf);

impl Stamp {
    pub fn new(name: &str) -> Self {
        Self(target().join("xtask").join(name))
    }

    pub fn matches(&self, fingerprint: &str) -> bool {
        fs::read_to_string(&self.0).is_ok_and(|known| known == fingerprint)
    }

    pub fn set(&self, fingerprint: &str) -> Result {
        write(&self.0, fingerprint.as_bytes())
    }
}

/// Writes a file and the folders above it.
pub fn write(path: &Path, bytes: &[u8]) -> Result {
    let result =
        path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, bytes));
    result.map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// Reads a file whole.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

/// An empty folder below the target folder, emptied when it was there.
pub fn empty_folder(name: &str) -> Result<PathBuf> {
    let folder = target().join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .map_err(|error| format!("cannot empty {}: {error}", folder.display()))?;
    }
    fs::create_dir_all(&folder)
        .map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
    Ok(folder)
}
