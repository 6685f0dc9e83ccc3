//! Line charts as SVG, which a page can hold as they are.

use std::fmt::Write as _;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 260.0;
/// Room for the labels: left, top, right, bottom.
const MARGIN: [f64; 4] = [64.0, 12.0, 16.0, 40.0];
/// Of lines, in their order; told apart by people who see few colours.
const COLOURS: [&str; 4] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];

/// How a value becomes a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    Linear,
    /// Powers of ten; what is 0 or less has no place.
    Logarithmic,
}

impl Scale {
    fn place(self, value: f64) -> Option<f64> {
        match self {
            Self::Linear => Some(value),
            Self::Logarithmic => (value > 0.0).then(|| value.log10()),
        }
    }

    fn value(self, place: f64) -> f64 {
        match self {
            Self::Linear => place,
            Self::Logarithmic => 10_f64.powf(place),
        }
    }
}

/// A line with its name.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) points: Vec<(f64, f64)>,
}

/// A chart.
#[derive(Debug, Clone)]
pub(super) struct Chart {
    pub(super) across: &'static str,
    pub(super) up: &'static str,
    pub(super) across_scale: Scale,
    pub(super) up_scale: Scale,
    pub(super) lines: Vec<Line>,
}

/// The bounds of an axis, in places.
#[derive(Debug, Clone, Copy)]
struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
}

impl Axis {
    fn of(scale: Scale, values: impl Iterator<Item = f64>) -> Option<Self> {
        let places = values.filter_map(|value| scale.place(value));
        let (low, high) = places
            .fold((f64::MAX, f64::MIN), |(low, high), place| (low.min(place), high.max(place)));
        if low > high {
            return None;
        }
        Some(match scale {
            // From nothing, so that a small change does not look large.
            Scale::Linear => Self { scale, low: low.min(0.0), high: high.max(low + 1e-9) },
            Scale::Logarithmic => {
                Self { scale, low: low.floor(), high: high.ceil().max(low.floor() + 1.0) }
            }
        })
    }

    /// From 0 to 1.
    fn share(self, value: f64) -> Option<f64> {
        let place = self.scale.place(value)?;
        Some((place - self.low) / (self.high - self.low))
    }

    /// Values with a label.
    fn marks(self) -> Vec<f64> {
        let step = match self.scale {
            Scale::Logarithmic => 1.0,
            Scale::Linear => round_step((self.high - self.low) / 5.0),
        };
        let mut marks = Vec::new();
        let mut place = (self.low / step).ceil() * step;
        while place <= self.high + step * 1e-6 && marks.len() < 20 {
            marks.push(self.scale.value(place));
            place += step;
        }
        marks
    }
}

/// 1, 2 or 5 times a power of ten, not below a value.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.max(1e-9).log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .map(|times| times * power)
        .into_iter()
        .find(|step| *step >= least * 0.999)
        .unwrap_or(power * 10.0)
}

impl Chart {
    /// Draws it; nothing where there is nothing to draw.
    pub(super) fn svg(&self) -> String {
        let all = || self.lines.iter().flat_map(|line| &line.points);
        let across = Axis::of(self.across_scale, all().map(|point| point.0));
        let up = Axis::of(self.up_scale, all().map(|point| point.1));
        let (Some(across), Some(up)) = (across, up) else { return String::new() };
        let [left, top, right, bottom] = MARGIN;
        let x = |share: f64| left + share * (WIDTH - left - right);
        let y = |share: f64| HEIGHT - bottom - share * (HEIGHT - top - bottom);
        let mut svg = format!(
            r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{} by {}">"#,
            self.up, self.across
        );
        // Writing to a string never fails.
        let mut draw = |element: String| {
            let _ = writeln!(svg, "{element}");
        };
        for mark in up.marks() {
            let Some(at) = up.share(mark).map(y) else { continue };
            draw(format!(
                r#"<path class="grid" d="M{:.1} {at:.1}H{:.1}"/><text x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
                x(0.0),
                x(1.0),
                left - 6.0,
                at + 4.0,
                label(mark)
            ));
        }
        for mark in across.marks() {
            let Some(at) = across.share(mark).map(x) else { continue };
            draw(format!(
                r#"<path class="grid" d="M{at:.1} {:.1}V{:.1}"/><text x="{at:.1}" y="{:.1}" text-anchor="middle">{}</text>"#,
                y(0.0),
                y(1.0),
                HEIGHT - bottom + 16.0,
                label(mark)
            ));
        }
        draw(format!(
            r#"<text x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
            x(1.0),
            HEIGHT - 6.0,
            self.across
        ));
        draw(format!(r#"<text x="{left:.1}" y="{:.1}">{}</text>"#, HEIGHT - 6.0, self.up));
        for (number, line) in self.lines.iter().enumerate() {
            let colour = COLOURS[number % COLOURS.len()];
            let mut path = String::new();
            for (across_value, up_value) in &line.points {
                let (Some(at_x), Some(at_y)) = (across.share(*across_value), up.share(*up_value))
                else {
                    continue;
                };
                let pen = if path.is_empty() { 'M' } else { 'L' };
                let _ = write!(path, "{pen}{:.1} {:.1}", x(at_x), y(at_y));
            }
            draw(format!(
                r#"<path class="line" stroke="{colour}" d="{path}"/><text x="{:.1}" y="{:.1}" fill="{colour}">{}</text>"#,
                f64::from(u32::try_from(number).unwrap_or_default()) * 110.0 + left + 8.0,
                top + 12.0,
                line.name
            ));
        }
        svg.push_str("</svg>");
        svg
    }
}

fn label(value: f64) -> String {
    let rounded = format!("{value:.3}");
    let short = rounded.trim_end_matches('0').trim_end_matches('.');
    if short.is_empty() || short == "-0" { "0".to_owned() } else { short.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::{Chart, Line, Scale, label, round_step};

    fn chart(up_scale: Scale, points: Vec<(f64, f64)>) -> String {
        let lines = vec![Line { name: "p99", points }];
        let across_scale = Scale::Linear;
        Chart { across: "s", up: "ms", across_scale, up_scale, lines }.svg()
    }

    #[test]
    fn a_line_goes_from_corner_to_corner() {
        let svg = chart(Scale::Linear, vec![(0.0, 0.0), (10.0, 5.0)]);
        assert!(svg.contains("M64.0 220.0L844.0 12.0"), "{svg}");
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>"));
    }

    #[test]
    fn what_has_no_place_on_a_logarithmic_scale_is_left_out() {
        let svg = chart(Scale::Logarithmic, vec![(0.0, 0.0), (1.0, 1.0), (2.0, 100.0)]);
        assert!(svg.contains("M454.0 220.0L844.0 12.0"), "{svg}");
        assert_eq!(chart(Scale::Logarithmic, vec![(0.0, 0.0)]), "");
        assert_eq!(chart(Scale::Linear, Vec::new()), "");
    }

    #[test]
    fn marks_are_round() {
        assert!((round_step(0.3) - 0.5).abs() < 1e-12);
        assert!((round_step(7.0) - 10.0).abs() < 1e-12);
        assert_eq!([label(0.0), label(1500.0), label(0.25)], ["0", "1500", "0.25"]);
    }
}
