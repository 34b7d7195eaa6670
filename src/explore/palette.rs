//! Colours, one palette for each theme. What must be told apart differs in lightness as well as
//! in hue; free space and what every sheet has (table, parity) stay quiet.

use crate::plane::zones::Zone;

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
    theme: Theme,
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
    /// From an hour to older than a year.
    pub ages: [Color; 6],
    pub added: Color,
    pub removed: Color,
    pub selection: Color,
    pub damage: Color,
}

/// For a near-black ground.
pub static DARK: Palette = Palette {
    theme: Theme::Dark,
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
    theme: Theme::Light,
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
        let hue = f32::from(tint & 0xfff) / 4096.0;
        let step = f32::from(tint >> 12 & 7) / 8.0;
        match self.theme {
            Theme::Dark => hsl(hue, 0.66 + 0.14 * (1.0 - step), 0.48 + 0.18 * step),
            Theme::Light => hsl(hue, 0.60 + 0.16 * (1.0 - step), 0.36 + 0.16 * step),
        }
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

/// A colour by hue (turns, 0.0..1.0), saturation and lightness (0.0..=1.0).
pub fn hsl(hue: f32, saturation: f32, lightness: f32) -> Color {
    let chroma = saturation * lightness.min(1.0 - lightness);
    std::array::from_fn(|at| {
        let offset = [0.0, 8.0, 4.0][at];
        let k = (offset + hue.rem_euclid(1.0) * 12.0).rem_euclid(12.0);
        let value = lightness - chroma * (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0);
        (value * 255.0).round() as u8
    })
}
