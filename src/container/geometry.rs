//! Where everything is: a pure function of the picture's width and its number of sheets.
//!
//! Words: a *sheet* is `width x width` pixels; a *band* is 32 pixel rows, one IDAT chunk; a
//! *tile* is 32 x 32 pixels, one cluster; a *row* is one filter byte and `4 * width` pixel bytes.
//! Widths and sheet counts come out of files: [`Geometry::new`] is the gate, and everything after
//! it relies on its checks.

use crate::base::limits::{CLUSTER, MAX_HEIGHT, MAX_WIDTH, MIN_WIDTH, RUN, TILE};
use crate::base::{Code, Error, Result};
use crate::plane::hilbert;

/// Signature (8), IHDR chunk (25) and the IDAT chunk holding the zlib header (14).
pub const HEADER: u64 = 47;
/// The IDAT chunk holding the last stored block and the Adler-32 (21) and the IEND chunk (12).
pub const TRAILER: u64 = 33;
/// Length and type in front of a chunk's data.
pub const CHUNK_HEAD: usize = 8;
/// Header of a stored deflate block.
pub const BLOCK_HEAD: usize = 5;
/// The most bytes a stored block holds (RFC 1951, section 3.2.4).
pub const BLOCK_MAX: usize = 65_535;
/// Members of a stripe, and how many of them are parity.
pub const STRIPE: usize = 32;
pub const STRIPE_PARITY: usize = 2;
/// All widths a map may have.
pub const WIDTHS: [u32; 6] = [256, 512, 1024, 2048, 4096, 8192];

/// Width in pixels and number of sheets of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Geometry {
    width: u32,
    sheets: u32,
}

impl Geometry {
    /// Checks `width` (a power of two, 256..=8192) and `sheets` (at least 1, and no more rows
    /// than a PNG can have, 2^31 - 1).
    ///
    /// # Errors
    /// `Invalid` for the width or no sheets, `FileTooBig` for too many sheets.
    pub fn new(width: u32, sheets: u32) -> Result<Geometry> {
        if !width.is_power_of_two() || !(MIN_WIDTH..=MAX_WIDTH).contains(&width) {
            let text = format!("width {width} is not a power of two from 256 to 8192");
            return Err(Error::new(Code::Invalid, text));
        }
        if sheets == 0 {
            return Err(Error::new(Code::Invalid, "a map has at least one sheet"));
        }
        if sheets > MAX_HEIGHT / width {
            let text = format!("{sheets} sheets of {width} pixels exceed the height of a PNG");
            return Err(Error::new(Code::FileTooBig, text));
        }
        Ok(Geometry { width, sheets })
    }

    /// The same width with another number of sheets.
    ///
    /// # Errors
    /// As [`Geometry::new`].
    pub fn with_sheets(self, sheets: u32) -> Result<Geometry> {
        Geometry::new(self.width, sheets)
    }

    /// Picture width in pixels.
    #[inline]
    pub const fn width(self) -> u32 {
        self.width
    }

    #[inline]
    pub const fn sheets(self) -> u32 {
        self.sheets
    }

    /// Picture height in pixels.
    #[inline]
    pub const fn height(self) -> u32 {
        self.sheets * self.width
    }

    /// Tiles on a sheet's side.
    #[inline]
    pub const fn side(self) -> u32 {
        self.width / TILE
    }

    /// Clusters in one sheet.
    #[inline]
    pub const fn sheet_clusters(self) -> u32 {
        self.side() * self.side()
    }

    /// Clusters in the map.
    #[inline]
    pub const fn clusters(self) -> u64 {
        self.sheets as u64 * self.sheet_clusters() as u64
    }

    /// Bands in one sheet.
    #[inline]
    pub const fn sheet_bands(self) -> u32 {
        self.side()
    }

    /// Bands in the map.
    #[inline]
    pub const fn bands(self) -> u32 {
        self.sheets * self.side()
    }

    /// Bytes of one row: filter byte and pixels.
    #[inline]
    pub const fn row_len(self) -> usize {
        1 + 4 * self.width as usize
    }

    /// Bytes of the 32 rows of a band, without block headers.
    #[inline]
    pub const fn band_rows_len(self) -> usize {
        TILE as usize * self.row_len()
    }

    /// Rows in a full stored block; the last block of a band may hold fewer.
    #[inline]
    pub const fn block_rows(self) -> usize {
        let rows = BLOCK_MAX / self.row_len();
        if rows < TILE as usize { rows } else { TILE as usize }
    }

    /// Stored blocks in a band.
    #[inline]
    pub const fn blocks(self) -> usize {
        (TILE as usize).div_ceil(self.block_rows())
    }

    /// Bytes of a band's IDAT data.
    #[inline]
    pub const fn band_data_len(self) -> usize {
        self.blocks() * BLOCK_HEAD + self.band_rows_len()
    }

    /// Bytes of a band in the file: the whole IDAT chunk.
    #[inline]
    pub const fn band_len(self) -> usize {
        12 + self.band_data_len()
    }

    /// File offset of a band's chunk.
    #[inline]
    pub const fn band_offset(self, band: u32) -> u64 {
        HEADER + band as u64 * self.band_len() as u64
    }

    /// Offset of a row (its filter byte) inside its band's chunk.
    #[inline]
    pub const fn row_offset(self, row: usize) -> usize {
        let headers = (row / self.block_rows() + 1) * BLOCK_HEAD;
        CHUNK_HEAD + headers + row * self.row_len()
    }

    /// File offset of the trailer: the end of the last band.
    #[inline]
    pub const fn trailer_offset(self) -> u64 {
        self.band_offset(self.bands())
    }

    /// Bytes of the whole file.
    #[inline]
    pub const fn file_len(self) -> u64 {
        self.trailer_offset() + TRAILER
    }

    /// The sheet a cluster lies in.
    #[inline]
    pub const fn sheet_of(self, cluster: u64) -> u32 {
        (cluster / self.sheet_clusters() as u64) as u32
    }

    /// A cluster's index in its sheet.
    #[inline]
    pub const fn index_in_sheet(self, cluster: u64) -> u32 {
        (cluster % self.sheet_clusters() as u64) as u32
    }

    /// The cluster at `index` of `sheet`.
    #[inline]
    pub const fn cluster(self, sheet: u32, index: u32) -> u64 {
        sheet as u64 * self.sheet_clusters() as u64 + index as u64
    }

    /// (band, tile column) of a cluster.
    #[inline]
    pub const fn tile(self, cluster: u64) -> (u32, u32) {
        let (x, y) = hilbert::point(self.side(), self.index_in_sheet(cluster));
        (self.sheet_of(cluster) * self.side() + y, x)
    }

    /// The cluster in tile column `column` of `band`.
    #[inline]
    pub const fn cluster_at(self, band: u32, column: u32) -> u64 {
        let side = self.side();
        self.cluster(band / side, hilbert::index(side, column, band % side))
    }

    /// The band a cluster lies in.
    #[inline]
    pub const fn band_of(self, cluster: u64) -> u32 {
        self.tile(cluster).0
    }

    /// File offset of the 128 bytes of a cluster's tile row `row` (0..32).
    #[inline]
    pub const fn run_offset(self, cluster: u64, row: usize) -> u64 {
        let (band, column) = self.tile(cluster);
        self.band_offset(band) + (self.row_offset(row) + 1 + column as usize * RUN) as u64
    }

    /// Checks that `count` clusters from `first` on lie in one sheet of the map.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn check_run(self, first: u64, count: u64) -> Result<()> {
        let end = first.checked_add(count);
        if end.is_none_or(|end| end > self.clusters()) {
            let text = format!("{count} clusters pass the end of the map at {}", self.clusters());
            return Err(Error::new(Code::Invalid, text).at_cluster(first));
        }
        if count > 0 && self.sheet_of(first) != self.sheet_of(first + count - 1) {
            let text = format!("a run of {count} clusters leaves its sheet");
            return Err(Error::new(Code::Invalid, text).at_cluster(first));
        }
        Ok(())
    }

    /// Checks `len` as a number of whole clusters and the run as [`Geometry::check_run`] does;
    /// gives the number of clusters.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn check_buffer(self, first: u64, len: usize) -> Result<usize> {
        if !len.is_multiple_of(CLUSTER) {
            let text = format!("{len} bytes are not whole clusters");
            return Err(Error::new(Code::Invalid, text).at_cluster(first));
        }
        self.check_run(first, (len / CLUSTER) as u64)?;
        Ok(len / CLUSTER)
    }

    /// Row bytes behind band `band` in the picture: the weight its byte sum has in Adler's `b`.
    #[inline]
    pub const fn bytes_behind(self, band: u32) -> u64 {
        (self.bands() - 1 - band) as u64 * self.band_rows_len() as u64
    }

    /// Row bytes in the whole picture.
    #[inline]
    pub const fn picture_len(self) -> u64 {
        self.bands() as u64 * self.band_rows_len() as u64
    }
}

/// The tiles of every sheet that have a fixed use, by index in the sheet.
impl Geometry {
    /// Allocation-table pages are the indices `0..vat_pages()` of every sheet.
    #[inline]
    pub const fn vat_pages(self) -> u32 {
        let pages = self.sheet_clusters() / 512;
        if pages == 0 { 1 } else { pages }
    }

    /// Index of superblock A, in sheet 0.
    #[inline]
    pub const fn superblock_a(self) -> u32 {
        self.vat_pages()
    }

    /// Index of superblock B, in sheet 0: half a sheet away from A along the curve.
    #[inline]
    pub const fn superblock_b(self) -> u32 {
        self.sheet_clusters() / 2
    }

    /// Parity clusters are the indices `parity_start()..sheet_clusters()` of every sheet: the
    /// last sixteenth of the curve, which is the square of side `side / 4` in the top right.
    #[inline]
    pub const fn parity_start(self) -> u32 {
        self.sheet_clusters() / 16 * 15
    }

    /// Stripes in one sheet; each has 32 members.
    #[inline]
    pub const fn stripes(self) -> u32 {
        self.sheet_clusters() / STRIPE as u32
    }

    /// The grid a stripe is laid out in.
    const fn lattice(self) -> Lattice {
        let side = self.side();
        let m = if side < 32 { side } else { 32 };
        let per_class = m * m / STRIPE as u32;
        Lattice { q: side / m, m, per_class, step: per_class / (m / 4) }
    }

    /// The stripe (0..[`Geometry::stripes`]) the tile at `index` of a sheet belongs to.
    pub const fn stripe_of(self, index: u32) -> u32 {
        let (x, y) = hilbert::point(self.side(), index);
        let grid = self.lattice();
        let class = (y % grid.q) * grid.q + x % grid.q;
        class * grid.per_class + grid.stripe_in_class(x / grid.q, y / grid.q)
    }

    /// The indices of a stripe's members: 30 data clusters in ascending order, then the 2 parity
    /// clusters in ascending order. `stripe` is below [`Geometry::stripes`].
    pub fn stripe_members(self, stripe: u32) -> [u32; STRIPE] {
        let grid = self.lattice();
        let (class, wanted) = (stripe / grid.per_class, stripe % grid.per_class);
        let mut members = [0; STRIPE];
        let mut found = 0;
        for y in 0..grid.m {
            // The first column of this row in the stripe; the others follow at equal distances.
            let first = (wanted + grid.per_class - grid.stripe_in_class(0, y)) % grid.per_class;
            for x in (first..grid.m).step_by(grid.per_class as usize) {
                let tile = (x * grid.q + class % grid.q, y * grid.q + class / grid.q);
                members[found] = hilbert::index(self.side(), tile.0, tile.1);
                found += 1;
            }
        }
        debug_assert_eq!(found, STRIPE);
        // Parity has the highest indices of the sheet, so ascending order puts it last.
        members.sort_unstable();
        members
    }
}

/// Tiles with equal remainders by `q` form a class, an `m x m` grid of its own with `per_class`
/// stripes. In a row of the grid neighbours belong to neighbouring stripes; each row starts `step`
/// further, so that no two members of a stripe share a row or a column when `m` is 32.
struct Lattice {
    q: u32,
    m: u32,
    per_class: u32,
    step: u32,
}

impl Lattice {
    const fn stripe_in_class(&self, x: u32, y: u32) -> u32 {
        let quarter = self.m / 4;
        (x + self.step * (y % quarter) + y / quarter) % self.per_class
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> impl Iterator<Item = Geometry> {
        WIDTHS.into_iter().map(|width| Geometry::new(width, 2).unwrap())
    }

    #[test]
    fn hostile_dimensions_are_refused() {
        for width in [0, 1, 255, 257, 128, 16384, u32::MAX, 1 << 31] {
            assert_eq!(Geometry::new(width, 1).unwrap_err().code(), Code::Invalid);
        }
        assert_eq!(Geometry::new(256, 0).unwrap_err().code(), Code::Invalid);
        assert_eq!(Geometry::new(8192, 262_144).unwrap_err().code(), Code::FileTooBig);
        assert_eq!(Geometry::new(256, u32::MAX).unwrap_err().code(), Code::FileTooBig);
        let largest = Geometry::new(256, 8_388_607).unwrap();
        assert_eq!(largest.height(), 2_147_483_392);
        assert!(largest.file_len() > 1 << 40);
    }

    #[test]
    fn the_numbers_of_one_width() {
        let map = Geometry::new(1024, 1).unwrap();
        assert_eq!((map.row_len(), map.block_rows(), map.blocks()), (4097, 15, 3));
        assert_eq!((map.band_data_len(), map.band_len()), (131_119, 131_131));
        assert_eq!(map.band_offset(1), 47 + 131_131);
        assert_eq!(map.row_offset(0), 13);
        assert_eq!(map.row_offset(15), 13 + 15 * 4097 + 5);
        assert_eq!(map.run_offset(0, 0), 47 + 14);
        assert_eq!(map.file_len(), 47 + 32 * 131_131 + 33);
        assert_eq!((map.vat_pages(), map.superblock_a(), map.superblock_b()), (2, 2, 512));
        assert_eq!((map.parity_start(), map.stripes()), (960, 32));
    }

    #[test]
    fn blocks_hold_whole_rows_and_rows_never_overlap() {
        for map in all() {
            assert!(map.block_rows() * map.row_len() <= BLOCK_MAX);
            let mut end = CHUNK_HEAD;
            for row in 0..32 {
                let at = map.row_offset(row);
                let header = if row % map.block_rows() == 0 { BLOCK_HEAD } else { 0 };
                assert_eq!(at, end + header);
                end = at + map.row_len();
            }
            assert_eq!(end + 4, map.band_len());
        }
    }

    #[test]
    fn clusters_and_tiles_are_one_to_one() {
        for map in all() {
            let mut seen = vec![false; map.clusters() as usize];
            for cluster in 0..map.clusters() {
                let (band, column) = map.tile(cluster);
                assert!(band < map.bands() && column < map.side());
                assert_eq!(map.cluster_at(band, column), cluster);
                let at = (band * map.side() + column) as usize;
                assert!(!std::mem::replace(&mut seen[at], true));
            }
        }
    }

    #[test]
    fn runs_stay_in_their_sheet() {
        let map = Geometry::new(256, 2).unwrap();
        assert!(map.check_run(0, 64).is_ok());
        assert!(map.check_run(64, 64).is_ok());
        assert!(map.check_run(128, 0).is_ok());
        for (first, count) in [(63, 2), (0, 65), (127, 2), (128, 1), (u64::MAX, 2)] {
            assert_eq!(map.check_run(first, count).unwrap_err().code(), Code::Invalid);
        }
        assert_eq!(map.check_buffer(0, 4095).unwrap_err().code(), Code::Invalid);
        assert_eq!(map.check_buffer(3, 8192).unwrap(), 2);
    }

    #[test]
    fn parity_is_the_top_right_square_and_apart_from_the_other_fixed_tiles() {
        for map in all() {
            let side = map.side();
            for index in 0..map.sheet_clusters() {
                let (x, y) = hilbert::point(side, index);
                assert_eq!(index >= map.parity_start(), x >= side / 4 * 3 && y < side / 4);
            }
            assert!(map.superblock_a() < map.superblock_b());
            assert!(map.superblock_b() < map.parity_start());
            assert_ne!(
                map.band_of(map.superblock_a().into()),
                map.band_of(map.superblock_b().into())
            );
        }
    }

    #[test]
    fn stripes_partition_the_sheet_with_two_parity_members_each() {
        for map in all() {
            let mut seen = vec![false; map.sheet_clusters() as usize];
            for stripe in 0..map.stripes() {
                let members = map.stripe_members(stripe);
                for (place, &index) in members.iter().enumerate() {
                    assert_eq!(map.stripe_of(index), stripe);
                    assert!(!std::mem::replace(&mut seen[index as usize], true));
                    assert_eq!(index >= map.parity_start(), place >= STRIPE - STRIPE_PARITY);
                    assert!(place == 0 || members[place - 1] < index);
                }
                if map.side() >= 32 {
                    let q = map.side() / 32;
                    let points = members.map(|index| hilbert::point(map.side(), index));
                    for of in [|p: &(u32, u32)| p.0, |p: &(u32, u32)| p.1] {
                        let mut used = points.iter().map(|p| of(p) / q).collect::<Vec<_>>();
                        used.sort_unstable();
                        used.dedup();
                        assert_eq!(used.len(), STRIPE);
                    }
                }
            }
            assert!(seen.iter().all(|&seen| seen));
        }
    }

    #[test]
    fn the_format_document_has_these_numbers() {
        let document = include_str!("../../docs/FORMAT.md");
        for map in all() {
            let row = format!(
                "| {} | {} | {} | {} | {} | {} | {} | {} |",
                map.width(),
                map.side(),
                map.sheet_clusters(),
                map.row_len(),
                map.block_rows(),
                map.blocks(),
                map.band_len(),
                map.vat_pages()
            );
            assert!(document.contains(&row), "{row}");
        }
        assert_eq!(Geometry::new(256, 1).unwrap().run_offset(5, 0), 445);
        assert_eq!(Geometry::new(256, 1).unwrap().run_offset(5, 1), 1470);
    }

    #[test]
    fn weights_count_what_lies_behind() {
        for map in all() {
            assert_eq!(map.bytes_behind(map.bands() - 1), 0);
            let first = map.bytes_behind(0) + map.band_rows_len() as u64;
            assert_eq!(first, map.picture_len());
        }
    }
}
