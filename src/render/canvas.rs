//! Pixels, text and the PNG they become.

use embedded_graphics::Drawable;
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::mono_font::iso_8859_1::{FONT_9X15, FONT_10X20};
use embedded_graphics::mono_font::{MonoFont, MonoTextStyle};
use embedded_graphics::pixelcolor::{Rgb888, RgbColor};
use embedded_graphics::text::{Baseline, Text};

use crate::base::{Code, Error, Result};
use crate::explore::palette::{Color, mix};

/// Two sizes of type; letters outside ISO 8859-1 show as a question mark.
#[derive(Clone, Copy)]
pub enum Face {
    Text,
    Title,
}

impl Face {
    fn font(self) -> &'static MonoFont<'static> {
        match self {
            Face::Text => &FONT_9X15,
            Face::Title => &FONT_10X20,
        }
    }

    /// Pixels a letter is wide.
    pub fn advance(self) -> u32 {
        self.font().character_size.width
    }
}

/// A picture in the making.
pub struct Canvas {
    pub width: u32,
    pub height: u32,
    pixels: Vec<u8>,
}

impl Canvas {
    pub fn new(width: u32, height: u32, background: Color) -> Canvas {
        let pixels = background.repeat(width as usize * height as usize);
        Canvas { width, height, pixels }
    }

    fn at(&self, x: u32, y: u32) -> Option<usize> {
        (x < self.width && y < self.height)
            .then(|| (y as usize * self.width as usize + x as usize) * 3)
    }

    pub fn get(&self, x: u32, y: u32) -> Color {
        self.at(x, y)
            .map_or([0; 3], |at| [self.pixels[at], self.pixels[at + 1], self.pixels[at + 2]])
    }

    pub fn set(&mut self, x: u32, y: u32, color: Color) {
        if let Some(at) = self.at(x, y) {
            self.pixels[at..at + 3].copy_from_slice(&color);
        }
    }

    /// Lays `color` over a pixel.
    pub fn blend(&mut self, x: u32, y: u32, color: Color, share: f32) {
        let mixed = mix(self.get(x, y), color, share);
        self.set(x, y, mixed);
    }

    pub fn fill(&mut self, x: u32, y: u32, width: u32, height: u32, color: Color) {
        let end = x.saturating_add(width).min(self.width);
        if x >= end {
            return;
        }
        let row = color.repeat((end - x) as usize);
        for y in y..y.saturating_add(height).min(self.height) {
            if let Some(at) = self.at(x, y) {
                self.pixels[at..at + row.len()].copy_from_slice(&row);
            }
        }
    }

    /// Writes one line with its upper left corner at (x, y); what does not fit into `room`
    /// pixels is cut, with an ellipsis of dots.
    pub fn text(&mut self, x: u32, y: u32, room: u32, face: Face, color: Color, text: &str) {
        let letters = (room / face.advance()) as usize;
        let mut line: String = text.chars().take(letters).collect();
        if text.chars().count() > letters && letters > 2 {
            line = text.chars().take(letters - 2).collect();
            line.push_str("..");
        }
        let style = MonoTextStyle::new(face.font(), Rgb888::new(color[0], color[1], color[2]));
        let origin = Point::new(x as i32, y as i32);
        // Drawing on this canvas cannot fail.
        let _ = Text::with_baseline(&line, origin, style, Baseline::Top).draw(self);
    }

    /// The picture as a PNG file, RGB with 8 bits.
    ///
    /// # Errors
    /// `Invalid` for a picture without pixels.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        let failed = |error: png::EncodingError| {
            Error::new(Code::Invalid, format!("the picture cannot be written: {error}"))
        };
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Balanced);
        encoder.set_filter(png::Filter::Adaptive);
        let mut writer = encoder.write_header().map_err(failed)?;
        writer.write_image_data(&self.pixels).map_err(failed)?;
        writer.finish().map_err(failed)?;
        Ok(bytes)
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.width, self.height)
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = std::convert::Infallible;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), Self::Error>
    where
        I: IntoIterator<Item = Pixel<Rgb888>>,
    {
        for Pixel(point, color) in pixels {
            if let (Ok(x), Ok(y)) = (u32::try_from(point.x), u32::try_from(point.y)) {
                self.set(x, y, [color.r(), color.g(), color.b()]);
            }
        }
        Ok(())
    }
}
