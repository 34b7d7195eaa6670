//! Circles on the plane, as rows of pixels of the sheets they touch.

use super::spiral;

/// Pixels `from..to` of one row of a sheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub sheet: u32,
    pub row: u32,
    pub from: u32,
    pub to: u32,
}

impl Span {
    pub fn pixels(&self) -> u64 {
        u64::from(self.to - self.from)
    }

    /// A number that stands for it, in the order of the fields: sheets are below 2^23, a width is
    /// at most 2^13.
    fn number(&self) -> u64 {
        let [sheet, row, from, last] =
            [self.sheet, self.row, self.from, self.to - 1].map(u64::from);
        sheet << 39 | row << 26 | from << 13 | last
    }

    fn of(number: u64) -> Span {
        let part = |shift: u32| (number >> shift) as u32 & 0x1fff;
        Span { sheet: (number >> 39) as u32, row: part(26), from: part(13), to: part(0) + 1 }
    }
}

/// The pixels of sheets `0..sheets` whose centres lie within `radius` of one of the points, and
/// the pixels that the points are in, each once. Points are plane pixels: the centre of sheet 0
/// is (0, 0), y grows downward. `None` for more than about `most` rows of pixels.
pub fn spans(
    width: u32,
    sheets: u32,
    points: &[(f64, f64)],
    radius: f64,
    most: usize,
) -> Option<Vec<Span>> {
    let side = f64::from(width);
    let reach = (f64::from(spiral::ring(sheets.saturating_sub(1))) + 0.5) * side;
    let radius = radius.max(0.0);
    let mut spans = Vec::new();
    for &(x, y) in points {
        // What lies wholly outside of the plane touches nothing, nor does what is no number.
        if !(x.abs() <= reach + radius && y.abs() <= reach + radius) {
            continue;
        }
        let top = (y - radius).max(-reach).floor();
        let bottom = (y + radius).min(reach);
        let mut row = top;
        while row <= bottom {
            let away = row + 0.5 - y;
            let half = (radius * radius - away * away).max(-1.0);
            let mut from = f64::INFINITY;
            let mut to = f64::NEG_INFINITY;
            if half >= 0.0 {
                let half = half.sqrt();
                from = (x - half - 0.5).ceil();
                to = (x + half - 0.5).floor() + 1.0;
            }
            if row == y.floor() {
                from = from.min(x.floor());
                to = to.max(x.floor() + 1.0);
            }
            cut(width, sheets, row, from.max(-reach), to.min(reach), &mut spans);
            if spans.len() > most {
                // Strokes lie over themselves for the most part.
                unite(&mut spans);
                if spans.len() > most / 2 {
                    return None;
                }
            }
            row += 1.0;
        }
    }
    unite(&mut spans);
    Some(spans.into_iter().map(Span::of).collect())
}

/// Pixels `from..to` of a row of the plane, by the sheets they are in.
fn cut(width: u32, sheets: u32, row: f64, from: f64, to: f64, spans: &mut Vec<u64>) {
    let side = f64::from(width);
    // (number of the sheet in a line of them, pixel in that sheet)
    let place = |pixel: f64| {
        let at = pixel + side / 2.0;
        let sheet = (at / side).floor();
        (sheet as i32, (at - sheet * side) as u32)
    };
    let (line, row) = place(row);
    let mut at = from;
    while at < to {
        let (column, first) = place(at);
        let count = (to - at).min(f64::from(width - first));
        if let Some(sheet) = spiral::sheet_at(column, line).filter(|&sheet| sheet < sheets) {
            let to = first + count as u32;
            spans.push(Span { sheet, row, from: first, to }.number());
        }
        at += count;
    }
}

/// Every pixel once, in the order of the file.
fn unite(spans: &mut Vec<u64>) {
    spans.sort_unstable();
    spans.dedup_by(|next, before| {
        let (mut first, second) = (Span::of(*before), Span::of(*next));
        let touch =
            (first.sheet, first.row) == (second.sheet, second.row) && second.from <= first.to;
        if touch {
            first.to = first.to.max(second.to);
            *before = first.number();
        }
        touch
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixels(spans: &[Span]) -> Vec<(u32, u32, u32)> {
        let each = |span: &Span| {
            let span = *span;
            (span.from..span.to).map(move |x| (span.sheet, span.row, x))
        };
        spans.iter().flat_map(each).collect()
    }

    #[test]
    fn circles_are_the_pixels_whose_centres_they_hold() {
        for (width, sheets, points, radius) in [
            (256, 1, vec![(0.0, 0.0)], 7.5),
            (256, 1, vec![(10.2, -20.7), (12.0, -20.0), (10.2, -20.7)], 3.0),
            (256, 9, vec![(127.5, -128.0), (-384.0, 383.0)], 20.0),
            (256, 4, vec![(128.0, -128.0)], 300.0),
            (512, 2, vec![(255.4, 3.0)], 0.0),
        ] {
            let found = pixels(&spans(width, sheets, &points, radius, 1 << 20).unwrap());
            let mut wanted = Vec::new();
            for sheet in 0..sheets {
                let (column, line) = spiral::position(sheet);
                for row in 0..width {
                    for at in 0..width {
                        let on = |sheets: i32, pixel: u32| {
                            f64::from(sheets) * f64::from(width) + f64::from(pixel)
                                - f64::from(width) / 2.0
                        };
                        let (x, y) = (on(column, at), on(line, row));
                        let inside = |&(px, py): &(f64, f64)| {
                            (x + 0.5 - px).hypot(y + 0.5 - py) <= radius
                                || (x, y) == (px.floor(), py.floor())
                        };
                        if points.iter().any(inside) {
                            wanted.push((sheet, row, at));
                        }
                    }
                }
            }
            assert_eq!(found, wanted, "{points:?} {radius}");
        }
    }

    #[test]
    fn what_is_outside_or_no_number_touches_nothing() {
        let outside =
            [(1e300, 0.0), (f64::NAN, 0.0), (0.0, f64::INFINITY), (200.0, 0.0), (0.0, -129.0)];
        assert_eq!(spans(256, 1, &outside, 1.0, 100), Some(Vec::new()));
        assert_eq!(spans(256, 1, &[(128.0, 128.0)], 0.0, 100), Some(Vec::new()));
        assert_eq!(spans(256, 1, &[(0.0, 0.0)], f64::NAN, 100).unwrap().len(), 1);
        assert_eq!(spans(256, 1, &[(0.0, 0.0)], 80.0, 100), None);
        assert_eq!(spans(256, 1, &[(0.0, 0.0); 2000], 10.0, 100).unwrap().len(), 20);
        let all = spans(256, 1, &[(0.0, 0.0)], 1e9, 1000).unwrap();
        assert_eq!(all.iter().map(Span::pixels).sum::<u64>(), 256 * 256);
    }
}
