//! Colours, one palette for each theme. What must be told apart differs in lightness as well as
//! in hue; free space and what every sheet has (table, parity) stay quiet.

use crate::plane::zones::Zone;

/// Hues a palette says outright; the others lie between.
const HUES: usize = 24;

/// Red, green, blue.
pub type Color = [u8; 3];

/// What a picture is looked at on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Theme {
    Dark,
    Light,
}

impl Theme {
    /// The theme of that name.
    pub fn of_name(name: &str) -> Option<Theme> {
        match name {
            "dark" => Some(Theme::Dark),
            "light" => Some(Theme::Light),
            _ => None,
        }
    }

    pub fn palette(self) -> &'static Palette {
        match self {
            Theme::Dark => &DARK,
            Theme::Light => &LIGHT,
        }
    }
}

/// The colours of a theme.
pub struct Palette {
    pub ground: Color,
    /// A cluster nothing is in.
    pub free: Color,
    pub border: Color,
    pub ink: Color,
    pub faint: Color,
    /// Borders of the zones.
    pub ring: Color,
    /// A page of the table that cannot be read, and what it would describe.
    pub unknown: Color,
    pub raw: Color,
    pub zstd: Color,
    /// Small files packed together.
    pub packed: Color,
    pub node: Color,
    pub table: Color,
    pub superblock: Color,
    pub parity: Color,
    /// File data that only other states of the map hold.
    pub past: Color,
    /// File data whose owner is not known yet.
    pub pending: Color,
    /// What every sheet has, and data that does not count in a layer.
    pub quiet: Color,
    /// Tree nodes, where files are the subject.
    pub names: Color,
    /// From hot to cold, from light to dark.
    zones: [Color; 5],
    heat: [Color; 6],
    /// Hues all round, evenly apart to the eye (OKLCH), in its darkest and its lightest step.
    hues: [[Color; HUES]; 2],
    /// From an hour to older than a year.
    pub ages: [Color; 6],
    pub added: Color,
    pub removed: Color,
    pub selection: Color,
    pub damage: Color,
}

/// For a near-black ground.
pub static DARK: Palette = Palette {
    ground: [10, 12, 17],
    free: [19, 22, 30],
    border: [35, 40, 53],
    ink: [226, 230, 238],
    faint: [132, 141, 158],
    ring: [255, 255, 255],
    unknown: [92, 20, 34],
    raw: [72, 168, 244],
    zstd: [30, 190, 146],
    packed: [240, 228, 92],
    node: [214, 150, 236],
    table: [230, 159, 0],
    superblock: [255, 98, 66],
    parity: [62, 70, 90],
    past: [92, 100, 118],
    pending: [70, 78, 98],
    quiet: [38, 42, 55],
    names: [94, 100, 114],
    zones: [[255, 236, 150], [255, 178, 72], [244, 112, 128], [172, 80, 196], [70, 84, 190]],
    heat: [
        [44, 20, 74],
        [101, 21, 110],
        [177, 50, 90],
        [229, 92, 48],
        [251, 168, 38],
        [252, 250, 172],
    ],
    hues: [
        [
            [193, 88, 125],
            [197, 88, 101],
            [198, 91, 76],
            [194, 96, 48],
            [187, 104, 2],
            [171, 115, 2],
            [156, 124, 3],
            [140, 131, 5],
            [118, 139, 9],
            [89, 146, 52],
            [49, 151, 81],
            [1, 151, 109],
            [5, 149, 131],
            [2, 147, 147],
            [11, 144, 162],
            [9, 141, 178],
            [6, 137, 200],
            [64, 129, 210],
            [96, 121, 211],
            [121, 113, 208],
            [142, 106, 199],
            [159, 99, 185],
            [174, 94, 168],
            [185, 90, 147],
        ],
        [
            [254, 172, 197],
            [255, 174, 179],
            [254, 177, 164],
            [255, 179, 144],
            [254, 181, 120],
            [243, 188, 110],
            [228, 196, 107],
            [210, 204, 111],
            [190, 211, 123],
            [167, 216, 140],
            [143, 221, 159],
            [120, 223, 181],
            [101, 224, 202],
            [90, 223, 222],
            [92, 220, 240],
            [108, 215, 255],
            [142, 208, 254],
            [162, 202, 254],
            [178, 197, 254],
            [193, 192, 254],
            [209, 185, 255],
            [228, 177, 251],
            [242, 172, 235],
            [253, 169, 216],
        ],
    ],
    ages: [
        [253, 231, 84],
        [142, 212, 84],
        [46, 176, 134],
        [42, 136, 160],
        [66, 98, 158],
        [88, 62, 130],
    ],
    added: [64, 190, 250],
    removed: [250, 140, 44],
    selection: [255, 255, 255],
    damage: [255, 64, 190],
};

/// For a near-white ground.
pub static LIGHT: Palette = Palette {
    ground: [250, 250, 252],
    free: [233, 235, 240],
    border: [212, 216, 225],
    ink: [24, 28, 38],
    faint: [104, 112, 128],
    ring: [20, 24, 34],
    unknown: [238, 176, 186],
    raw: [0, 108, 190],
    zstd: [0, 144, 108],
    packed: [214, 178, 0],
    node: [142, 76, 170],
    table: [196, 118, 0],
    superblock: [206, 58, 26],
    parity: [186, 192, 204],
    past: [150, 156, 170],
    pending: [184, 190, 204],
    quiet: [217, 220, 228],
    names: [164, 169, 180],
    zones: [[248, 198, 44], [238, 138, 32], [216, 78, 108], [138, 50, 158], [44, 60, 158]],
    heat: [
        [218, 210, 232],
        [228, 176, 190],
        [228, 124, 104],
        [200, 70, 52],
        [152, 28, 42],
        [88, 4, 36],
    ],
    hues: [
        [
            [148, 50, 88],
            [151, 50, 66],
            [152, 53, 41],
            [148, 60, 2],
            [134, 73, 3],
            [123, 81, 0],
            [111, 88, 3],
            [99, 93, 2],
            [83, 99, 1],
            [54, 106, 4],
            [1, 110, 48],
            [6, 107, 77],
            [1, 106, 93],
            [5, 104, 104],
            [1, 103, 116],
            [0, 101, 128],
            [2, 97, 144],
            [26, 90, 164],
            [62, 83, 166],
            [85, 76, 162],
            [103, 69, 154],
            [119, 63, 142],
            [131, 57, 126],
            [141, 53, 108],
        ],
        [
            [220, 112, 149],
            [225, 112, 124],
            [225, 115, 99],
            [222, 121, 73],
            [214, 129, 46],
            [202, 138, 16],
            [185, 147, 5],
            [166, 156, 19],
            [142, 164, 50],
            [113, 171, 77],
            [78, 176, 104],
            [18, 179, 130],
            [11, 176, 155],
            [0, 174, 174],
            [13, 171, 192],
            [6, 168, 211],
            [46, 162, 229],
            [88, 154, 237],
            [119, 146, 238],
            [144, 138, 234],
            [166, 130, 225],
            [184, 124, 211],
            [200, 118, 193],
            [212, 114, 172],
        ],
    ],
    ages: [
        [68, 8, 90],
        [60, 76, 142],
        [34, 124, 142],
        [46, 164, 122],
        [126, 194, 90],
        [194, 206, 96],
    ],
    added: [0, 104, 196],
    removed: [214, 96, 0],
    selection: [12, 16, 28],
    damage: [206, 0, 124],
};

impl Palette {
    pub fn zone(&self, zone: Zone) -> Color {
        self.zones[zone as usize]
    }

    /// From never read (0.0) to the hottest (1.0).
    pub fn heat(&self, share: f32) -> Color {
        let at = share.clamp(0.0, 1.0) * (self.heat.len() - 1) as f32;
        let below = (at as usize).min(self.heat.len() - 2);
        mix(self.heat[below], self.heat[below + 1], at - below as f32)
    }

    /// The colour of a file, from its [`tint`].
    pub fn file(&self, tint: u16) -> Color {
        let place = usize::from(tint & 0xfff) * HUES;
        let (hue, past) = (place >> 12, (place >> 4 & 0xff) as u8);
        let step = (tint >> 12 & 7) as u8 * 36;
        let [dark, light] =
            self.hues.each_ref().map(|hues| blend(hues[hue], hues[(hue + 1) % HUES], past));
        blend(dark, light, step)
    }

    /// Files at the top, which belong to no directory that could give them a hue.
    pub fn top(&self) -> Color {
        mix(self.ink, self.faint, 0.5)
    }
}

/// A hue (turns) and a step of lightness (0.0..1.0) in two bytes: 12 bits of hue, 3 of lightness.
pub fn tint(hue: f32, lightness: f32) -> u16 {
    let hue = (hue.rem_euclid(1.0) * 4096.0) as u16 & 0xfff;
    let lightness = (lightness * 8.0) as u16 & 7;
    lightness << 12 | hue
}

/// How hot an extent looks, 0.0..1.0. The scale is fixed, so that pictures of different times
/// compare: one step is a fifth, four are the middle.
pub fn warmth(heat: u8) -> f32 {
    let heat = f32::from(heat);
    heat / (heat + 4.0)
}

/// Between `from` (0.0) and `to` (1.0).
pub fn mix(from: Color, to: Color, share: f32) -> Color {
    let share = share.clamp(0.0, 1.0);
    std::array::from_fn(|at| {
        let (a, b) = (f32::from(from[at]), f32::from(to[at]));
        (a + (b - a) * share).round() as u8
    })
}

/// As [`mix`], with a share of 0..=255.
#[inline]
pub fn blend(from: Color, to: Color, share: u8) -> Color {
    let share = i32::from(share);
    let one = |at: usize| {
        let (a, b) = (i32::from(from[at]), i32::from(to[at]));
        (a + ((b - a) * share + 127) / 255) as u8
    };
    [one(0), one(1), one(2)]
}
