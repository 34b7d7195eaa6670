//! What a check found.

use crate::base::limits::CLUSTER;

/// How bad a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Bytes or names that somebody stored cannot be read.
    Lost,
    /// Everything can be read, but something that protects it does not hold.
    Suspect,
    /// A number is wrong, or the picture is not strict; no stored byte is in danger.
    Harmless,
}

impl Severity {
    pub const ALL: [Severity; 3] = [Severity::Lost, Severity::Suspect, Severity::Harmless];

    pub const fn name(self) -> &'static str {
        match self {
            Severity::Lost => "lost",
            Severity::Suspect => "suspect",
            Severity::Harmless => "harmless",
        }
    }
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Stable name of the kind of problem, such as `data-checksum`.
    pub kind: &'static str,
    pub severity: Severity,
    /// One sentence without a trailing period.
    pub message: String,
    /// The file or directory that is affected, without a leading slash.
    pub path: Option<Vec<u8>>,
    /// Byte offset in the file, or in the picture for problems of its skeleton.
    pub offset: Option<u64>,
    pub cluster: Option<u64>,
    /// A checksum or a count, as it should be and as it is.
    pub expected: Option<u64>,
    pub found: Option<u64>,
    /// One sentence: what to do next.
    pub advice: &'static str,
}

/// The most problems a report holds; the severest are kept.
pub const MAX_PROBLEMS: usize = 1000;

/// The result of a check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Clusters whose content was compared with its checksum.
    pub clusters_checked: u64,
    /// Files of the present state: regular files, links and special files.
    pub files: u64,
    pub directories: u64,
    /// Compressed frames.
    pub frames: u64,
    /// Frames that two independent decoders agreed on.
    pub frames_decoded_twice: u64,
    /// Stripes whose parity was compared: its checksums, and with `deep` its bytes.
    pub parity_stripes: u64,
    /// Whether some of the map's parity is out of date, as it is until a map is closed.
    pub parity_stale: bool,
    /// Severest first, at most [`MAX_PROBLEMS`].
    pub problems: Vec<Problem>,
    pub problems_truncated: bool,
}

impl Report {
    /// Whether nothing at all was found.
    pub fn is_ok(&self) -> bool {
        self.problems.is_empty()
    }

    /// Bytes compared with their checksums.
    pub fn bytes_checked(&self) -> u64 {
        self.clusters_checked * CLUSTER as u64
    }
}

/// A kind of problem, with what is the same for all of its kind.
#[derive(Clone, Copy)]
pub(super) struct Class {
    pub name: &'static str,
    pub severity: Severity,
    pub advice: &'static str,
}

/// Declares the kinds of problems.
macro_rules! classes {
    ($($constant:ident $severity:ident $name:literal $advice:expr;)*) => {
        $(pub(super) const $constant: Class = Class {
            name: $name, severity: Severity::$severity, advice: $advice,
        };)*
        /// The names of all kinds of problems, for the documentation and its test.
        pub const KINDS: &[(&str, Severity)] = &[$(($name, Severity::$severity)),*];
    };
}

const RESTORE: &str = "put the file back from a backup or a snapshot (`aetherflow snapshot list`), \
    or take what can be read with `aetherflow extract --keep-going`";
const SALVAGE: &str = "take what can be read with `aetherflow extract --keep-going` and build a \
    new map from it and a backup";
const REBUILD: &str = "nothing is lost; `aetherflow extract` and `aetherflow build` make a map \
    with the right numbers";
const RESEAL: &str = "the files are whole; `aetherflow pack` and `aetherflow unpack` write the \
    picture anew";
const COUNTING: &str = "do not delete anything from this map; `aetherflow extract` it and \
    `aetherflow build` a new one";
const REPACK: &str = "the files are whole; `aetherflow pack` and `aetherflow unpack` leave the \
    parity out, and the next close computes it anew";

classes! {
    SUPERBLOCK Suspect "superblock" "the other copy is whole; the checkpoints after the next two \
        changes, for example `aetherflow snapshot create`, write both anew";
    TABLE_PAGE Lost "table-page" SALVAGE;
    TABLE_RECORD Suspect "table-record" COUNTING;
    UNREADABLE Lost "unreadable" RESTORE;
    DATA_CHECKSUM Lost "data-checksum" RESTORE;
    DATA_UNUSED Harmless "unused-data-checksum" "no file refers to it; nothing needs to be done";
    EXTENT Lost "extent" RESTORE;
    FRAME Lost "frame" RESTORE;
    TREE_NODE Lost "tree-node" SALVAGE;
    TREE_ORDER Lost "tree-order" SALVAGE;
    ITEM Lost "item" SALVAGE;
    INODE_LOST Lost "inode-lost" RESTORE;
    ENTRY_DANGLING Lost "entry-dangling" RESTORE;
    ENTRY Suspect "entry" SALVAGE;
    NAMELESS Lost "inode-nameless" SALVAGE;
    STRAY_ITEM Suspect "stray-item" REBUILD;
    LINK_COUNT Suspect "link-count" REBUILD;
    DIRECTORY Suspect "directory" SALVAGE;
    DIRECTORY_COUNT Harmless "directory-count" REBUILD;
    ORPHAN Harmless "orphan" REBUILD;
    OBJECT_ID Suspect "object-id" COUNTING;
    FILE_OVERLAP Lost "file-overlap" RESTORE;
    BEYOND_END Harmless "beyond-end" "nothing needs to be done: no reader sees these bytes";
    ALLOCATED Harmless "allocated-count" REBUILD;
    SYMLINK Lost "symlink" RESTORE;
    ATTRIBUTE Lost "attribute" RESTORE;
    SNAPSHOT Lost "snapshot" "delete the snapshot with `aetherflow snapshot delete`; the present \
        state is not concerned";
    REFERENCES_LOW Suspect "reference-count-low" COUNTING;
    REFERENCES_HIGH Harmless "reference-count-high" REBUILD;
    LEAK Harmless "leak" REBUILD;
    COUNTERS Harmless "counters" REBUILD;
    PARITY Suspect "parity" REPACK;
    PARITY_CHECKSUM Suspect "parity-checksum" REPACK;
    SKELETON Harmless "skeleton" RESEAL;
    BAND_CHECKSUM Harmless "band-checksum" RESEAL;
    ADLER Harmless "adler" RESEAL;
}

impl Problem {
    pub(super) fn new(class: Class, message: impl Into<String>) -> Problem {
        Problem {
            kind: class.name,
            severity: class.severity,
            message: message.into(),
            path: None,
            offset: None,
            cluster: None,
            expected: None,
            found: None,
            advice: class.advice,
        }
    }

    pub(super) fn cluster(mut self, cluster: u64) -> Problem {
        self.cluster = Some(cluster);
        self
    }

    pub(super) fn offset(mut self, offset: u64) -> Problem {
        self.offset = Some(offset);
        self
    }

    pub(super) fn path(mut self, path: Option<Vec<u8>>) -> Problem {
        self.path = path;
        self
    }

    pub(super) fn values(mut self, expected: u64, found: u64) -> Problem {
        self.expected = Some(expected);
        self.found = Some(found);
        self
    }
}

/// Collects problems: at most [`MAX_PROBLEMS`] of each severity, so that many small ones never
/// crowd out a grave one.
#[derive(Default)]
pub(super) struct Findings {
    lists: [Vec<Problem>; 3],
    truncated: bool,
}

impl Findings {
    pub fn add(&mut self, problem: Problem) {
        let list = &mut self.lists[problem.severity as usize];
        if list.len() < MAX_PROBLEMS {
            list.push(problem);
        } else {
            self.truncated = true;
        }
    }

    /// Whether another problem of this severity would not be kept: then its path is not worth
    /// looking for.
    pub fn is_full(&self, severity: Severity) -> bool {
        self.lists[severity as usize].len() >= MAX_PROBLEMS
    }

    pub fn finish(self, report: &mut Report) {
        let all = self.lists.iter().map(Vec::len).sum::<usize>();
        report.problems = self.lists.into_iter().flatten().take(MAX_PROBLEMS).collect();
        report.problems_truncated = self.truncated || all > MAX_PROBLEMS;
    }
}
