//! One error type for the whole engine.
//!
//! An [`Error`] answers three questions: whose fault is it ([`Code::fault`]), what happened
//! (the message) and where (path, offset, cluster). The code is stable: surfaces map it once to
//! an errno, an exit code and a JSON field, and callers match on it instead of on text.

use std::fmt;

/// The engine's result type.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Who has to act on an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The map's bytes are wrong.
    Damaged,
    /// The caller asked for something the filesystem's rules refuse.
    Caller,
    /// The system below failed: disk, memory, locks.
    Environment,
    /// A limit of the format or of this build was reached.
    Limit,
}

/// Stable error codes. The names follow POSIX where POSIX has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    // Damaged input.
    /// The file is not a map: no superblock where one must be.
    NotAMap,
    /// The file ends before the bytes its header promises.
    Truncated,
    /// The pixels were resized or recompressed with loss; the data is gone.
    Resized,
    /// A checksum or a structural invariant failed.
    Corrupt,
    /// The map was written by a newer format version.
    Version,
    /// The map uses an incompatible feature this build does not know.
    Feature,
    // Caller.
    /// ENOENT
    NotFound,
    /// EEXIST
    Exists,
    /// ENOTDIR
    NotDirectory,
    /// EISDIR
    IsDirectory,
    /// ENOTEMPTY
    NotEmpty,
    /// EINVAL
    Invalid,
    /// ENAMETOOLONG
    NameTooLong,
    /// ELOOP
    Loop,
    /// ENODATA: no such extended attribute
    NoData,
    /// ERANGE
    Range,
    /// EPERM
    NotPermitted,
    /// EACCES
    Access,
    /// EBADF
    BadHandle,
    /// ENXIO: seek past the last data
    NoSuchAddress,
    /// EROFS
    ReadOnly,
    /// EXDEV
    CrossDevice,
    /// EBUSY
    Busy,
    /// ENOTSUP
    Unsupported,
    /// The operation was cancelled by its progress callback.
    Cancelled,
    // Environment.
    /// EIO
    Io,
    /// ENOSPC
    NoSpace,
    /// Another process holds the map.
    Locked,
    /// An earlier write failed; the map refuses further writes until it is opened again.
    Poisoned,
    // Limits.
    /// EFBIG
    FileTooBig,
    /// EMLINK
    TooManyLinks,
    /// E2BIG: extended attribute or request larger than the format allows
    TooBig,
}

impl Code {
    /// Every code.
    pub const ALL: [Code; 32] = [
        Code::NotAMap,
        Code::Truncated,
        Code::Resized,
        Code::Corrupt,
        Code::Version,
        Code::Feature,
        Code::NotFound,
        Code::Exists,
        Code::NotDirectory,
        Code::IsDirectory,
        Code::NotEmpty,
        Code::Invalid,
        Code::NameTooLong,
        Code::Loop,
        Code::NoData,
        Code::Range,
        Code::NotPermitted,
        Code::Access,
        Code::BadHandle,
        Code::NoSuchAddress,
        Code::ReadOnly,
        Code::CrossDevice,
        Code::Busy,
        Code::Unsupported,
        Code::Cancelled,
        Code::Io,
        Code::NoSpace,
        Code::Locked,
        Code::Poisoned,
        Code::FileTooBig,
        Code::TooManyLinks,
        Code::TooBig,
    ];

    /// The code that the engine calls so.
    pub fn of_name(name: &str) -> Option<Code> {
        Code::ALL.into_iter().find(|code| code.name() == name)
    }

    /// The errno name surfaces report, as Node and libc spell it.
    pub const fn errno_name(self) -> &'static str {
        match self {
            Code::NotAMap | Code::Truncated | Code::Resized | Code::Version | Code::Feature => {
                "EINVAL"
            }
            Code::Corrupt | Code::Io | Code::Poisoned => "EIO",
            Code::NotFound => "ENOENT",
            Code::Exists => "EEXIST",
            Code::NotDirectory => "ENOTDIR",
            Code::IsDirectory => "EISDIR",
            Code::NotEmpty => "ENOTEMPTY",
            Code::Invalid => "EINVAL",
            Code::NameTooLong => "ENAMETOOLONG",
            Code::Loop => "ELOOP",
            Code::NoData => "ENODATA",
            Code::Range => "ERANGE",
            Code::NotPermitted => "EPERM",
            Code::Access => "EACCES",
            Code::BadHandle => "EBADF",
            Code::NoSuchAddress => "ENXIO",
            Code::ReadOnly => "EROFS",
            Code::CrossDevice => "EXDEV",
            Code::Busy | Code::Locked => "EBUSY",
            Code::Unsupported => "ENOTSUP",
            Code::Cancelled => "ECANCELED",
            Code::NoSpace => "ENOSPC",
            Code::FileTooBig => "EFBIG",
            Code::TooManyLinks => "EMLINK",
            Code::TooBig => "E2BIG",
        }
    }

    /// The Linux errno number (asm-generic), for surfaces that need one.
    pub const fn errno(self) -> i32 {
        match self.errno_name().as_bytes() {
            b"EPERM" => 1,
            b"ENOENT" => 2,
            b"EIO" => 5,
            b"ENXIO" => 6,
            b"E2BIG" => 7,
            b"EBADF" => 9,
            b"EACCES" => 13,
            b"EBUSY" => 16,
            b"EEXIST" => 17,
            b"EXDEV" => 18,
            b"ENOTDIR" => 20,
            b"EISDIR" => 21,
            b"EINVAL" => 22,
            b"EFBIG" => 27,
            b"ENOSPC" => 28,
            b"EROFS" => 30,
            b"EMLINK" => 31,
            b"ERANGE" => 34,
            b"ENAMETOOLONG" => 36,
            b"ENOTEMPTY" => 39,
            b"ELOOP" => 40,
            b"ENODATA" => 61,
            b"ENOTSUP" => 95,
            b"ECANCELED" => 125,
            _ => 5,
        }
    }

    /// The engine's own stable name for the code, used in JSON output and tests.
    pub const fn name(self) -> &'static str {
        match self {
            Code::NotAMap => "not-a-map",
            Code::Truncated => "truncated",
            Code::Resized => "resized",
            Code::Corrupt => "corrupt",
            Code::Version => "version",
            Code::Feature => "feature",
            Code::NotFound => "not-found",
            Code::Exists => "exists",
            Code::NotDirectory => "not-a-directory",
            Code::IsDirectory => "is-a-directory",
            Code::NotEmpty => "not-empty",
            Code::Invalid => "invalid",
            Code::NameTooLong => "name-too-long",
            Code::Loop => "loop",
            Code::NoData => "no-data",
            Code::Range => "range",
            Code::NotPermitted => "not-permitted",
            Code::Access => "access",
            Code::BadHandle => "bad-handle",
            Code::NoSuchAddress => "no-such-address",
            Code::ReadOnly => "read-only",
            Code::CrossDevice => "cross-device",
            Code::Busy => "busy",
            Code::Unsupported => "unsupported",
            Code::Cancelled => "cancelled",
            Code::Io => "io",
            Code::NoSpace => "no-space",
            Code::Locked => "locked",
            Code::Poisoned => "poisoned",
            Code::FileTooBig => "file-too-big",
            Code::TooManyLinks => "too-many-links",
            Code::TooBig => "too-big",
        }
    }

    /// Who has to act.
    pub const fn fault(self) -> Fault {
        match self {
            Code::NotAMap
            | Code::Truncated
            | Code::Resized
            | Code::Corrupt
            | Code::Version
            | Code::Feature => Fault::Damaged,
            Code::Io | Code::NoSpace | Code::Locked | Code::Poisoned => Fault::Environment,
            Code::FileTooBig | Code::TooManyLinks | Code::TooBig => Fault::Limit,
            _ => Fault::Caller,
        }
    }
}

/// A failure of the engine: a stable code, one sentence, and the place.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    code: Code,
    message: String,
    path: Option<Vec<u8>>,
    offset: Option<u64>,
    cluster: Option<u64>,
}

impl Error {
    /// A new error; `message` is one sentence without a trailing period.
    pub fn new(code: Code, message: impl Into<String>) -> Error {
        Error(Box::new(Inner {
            code,
            message: message.into(),
            path: None,
            offset: None,
            cluster: None,
        }))
    }

    /// A failed structural check: the map's bytes break rule `what`.
    pub fn corrupt(what: impl Into<String>) -> Error {
        Error::new(Code::Corrupt, what)
    }

    /// A checksum that does not match, naming both sums and the cluster.
    pub fn checksum(cluster: u64, expected: u32, found: u32) -> Error {
        Error::new(
            Code::Corrupt,
            format!("checksum mismatch: expected {expected:08x}, found {found:08x}"),
        )
        .at_cluster(cluster)
    }

    /// Names the path the error belongs to, unless it has one already.
    #[must_use]
    pub fn at_path(mut self, path: &[u8]) -> Error {
        self.0.path.get_or_insert_with(|| path.to_vec());
        self
    }

    /// Names the byte offset the error belongs to (in the file named by the path, if any).
    #[must_use]
    pub fn at_offset(mut self, offset: u64) -> Error {
        self.0.offset.get_or_insert(offset);
        self
    }

    /// Names the cluster the error belongs to.
    #[must_use]
    pub fn at_cluster(mut self, cluster: u64) -> Error {
        self.0.cluster.get_or_insert(cluster);
        self
    }

    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The sentence without path, offset and cluster.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    pub fn path(&self) -> Option<&[u8]> {
        self.0.path.as_deref()
    }

    /// Byte offset, where one is known.
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// Cluster number, where one is known.
    pub fn cluster(&self) -> Option<u64> {
        self.0.cluster
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.0.path {
            write!(f, "{}: ", String::from_utf8_lossy(path))?;
        }
        f.write_str(&self.0.message)?;
        if let Some(offset) = self.0.offset {
            write!(f, ", at offset {offset}")?;
        }
        if let Some(cluster) = self.0.cluster {
            write!(f, ", in cluster {cluster}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {self}", self.0.code.name())
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Error {
        use std::io::ErrorKind;
        let code = match error.kind() {
            ErrorKind::NotFound => Code::NotFound,
            ErrorKind::PermissionDenied => Code::Access,
            ErrorKind::AlreadyExists => Code::Exists,
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Code::NoSpace,
            ErrorKind::ReadOnlyFilesystem => Code::ReadOnly,
            ErrorKind::UnexpectedEof => Code::Truncated,
            ErrorKind::IsADirectory => Code::IsDirectory,
            ErrorKind::FileTooLarge => Code::FileTooBig,
            _ => Code::Io,
        };
        Error::new(code, error.to_string())
    }
}

/// Makes a `Result` name the path it belongs to.
pub trait Context<T> {
    /// Attaches `path` to an error that has none.
    fn with_path(self, path: &[u8]) -> Result<T>;
}

impl<T> Context<T> for Result<T> {
    fn with_path(self, path: &[u8]) -> Result<T> {
        self.map_err(|error| error.at_path(path))
    }
}
