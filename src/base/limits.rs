//! Every cap and every constant of the format, with the relations between them checked here.

/// Bytes in a cluster, the unit of allocation and of checksums.
pub const CLUSTER: usize = 4096;
/// Pixels on a tile's side; a tile is one cluster.
pub const TILE: u32 = 32;
/// Bytes of one tile row: 32 RGBA pixels.
pub const RUN: usize = 128;
/// Smallest and largest picture width, in pixels.
pub const MIN_WIDTH: u32 = 256;
pub const MAX_WIDTH: u32 = 8192;
/// Largest PNG height (PNG 1.2, section 4.1.1).
pub const MAX_HEIGHT: u32 = 0x7fff_ffff;
/// Cluster numbers and object ids stay below these.
pub const MAX_CLUSTER: u64 = 1 << 48;
pub const MAX_OBJECT: u64 = 1 << 56;

/// Largest raw extent: 4 MiB.
pub const MAX_RAW_EXTENT: usize = 4 << 20;
/// Logical bytes of one compressed extent: 128 KiB.
pub const MAX_FRAME: usize = 128 << 10;
/// Largest name of a directory entry or attribute, in bytes.
pub const MAX_NAME: usize = 255;
/// Largest path and largest symbolic-link target, in bytes.
pub const MAX_PATH: usize = 4095;
/// Symbolic links followed in one path walk before ELOOP.
pub const MAX_SYMLINKS: u32 = 40;
/// Largest value of an extended attribute: 64 KiB.
pub const MAX_XATTR_VALUE: usize = 64 << 10;
/// Largest file: 2^63 - 1 bytes.
pub const MAX_FILE: u64 = i64::MAX as u64;
/// Largest reference count of an extent or a node.
pub const MAX_REFERENCES: u32 = (1 << 20) - 1;
/// Default budget of the caches, in bytes.
pub const DEFAULT_CACHE: usize = 64 << 20;

const _: () = assert!(TILE as usize * RUN == CLUSTER);
const _: () = assert!(MAX_RAW_EXTENT.is_multiple_of(CLUSTER));
const _: () = assert!(MAX_FRAME <= MAX_RAW_EXTENT);
