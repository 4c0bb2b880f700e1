//! Axes: which range, which marks.

/// A range with marks on it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    pub(super) scale: Scale,
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) marks: Vec<Mark>,
}

/// A mark and what stands at it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mark {
    pub(super) at: f64,
    pub(super) label: String,
}

/// How values become lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    Linear,
    /// Small values get more room, and 0 has a place: for shares.
    SquareRoot,
    /// Equal ratios are equal lengths; from more than 0.
    Logarithmic,
    /// Of shares from 0 to less than 1: from 90 % to 99 % is as far as from 0 to 90 %.
    Tail,
}

impl Axis {
    /// From 0 to a round figure that is not less than `max`.
    pub(super) fn from_zero(max: f64) -> Self {
        let step = round_step(max / 5.0);
        let steps = (max / step - 1e-9).ceil().max(1.0);
        let marks = (0..=steps as u64).map(|index| Mark::of(index as f64 * step)).collect();
        Self { scale: Scale::Linear, from: 0.0, to: steps * step, marks }
    }

    /// From 0 to `max` itself, with marks as far as that.
    pub(super) fn up_to(max: f64) -> Self {
        let mut axis = Self::from_zero(max);
        axis.marks.retain(|mark| mark.at <= max * (1.0 + 1e-9));
        Self { to: max, ..axis }
    }

    /// From 0 to a round figure, or from one to another with equal ratios as equal lengths where
    /// the small would not be seen beside the great.
    pub(super) fn fitting(min: f64, max: f64) -> Self {
        if min > 0.0 && max / min > 20.0 {
            Self::logarithmic(min, max)
        } else {
            Self::from_zero(max)
        }
    }

    /// Equal ratios are equal lengths, between round figures.
    pub(super) fn logarithmic(min: f64, max: f64) -> Self {
        let all =
            (-6..=12).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10f64.powi(power)));
        let mut marks: Vec<f64> = all.collect();
        let first = marks.iter().rposition(|mark| *mark <= min).unwrap_or(0);
        let last = marks.iter().position(|mark| *mark >= max).unwrap_or(marks.len() - 1);
        marks = marks[first..=last.max(first + 1)].to_vec();
        let (from, to) = (marks[0], marks[marks.len() - 1]);
        // Over more than two powers of ten, only these.
        if to / from > 200.0 {
            let is_power = |mark: &f64| (mark.log10() - mark.log10().round()).abs() < 1e-9;
            marks.retain(is_power);
        }
        let marks = marks.into_iter().map(Mark::of).collect();
        Self { scale: Scale::Logarithmic, from, to, marks }
    }

    /// Marks at the values themselves.
    pub(super) fn of_values(scale: Scale, values: &[f64]) -> Self {
        let from = values.iter().copied().fold(f64::MAX, f64::min);
        let to = values.iter().copied().fold(f64::MIN, f64::max);
        let marks = values.iter().copied().map(Mark::of).collect();
        Self { scale, from, to, marks }
    }

    /// Shares up to what that many samples can tell: 90 %, 99 % or 99.9 %.
    pub(super) fn tail(samples: u64) -> Self {
        let to = match samples {
            0..100 => 0.9,
            100..1000 => 0.99,
            _ => 0.999,
        };
        let all = [(0.0, "0 %"), (0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %")];
        let marks = all.into_iter().filter(|(at, _)| *at <= to + 1e-9);
        let marks = marks.map(|(at, label)| Mark { at, label: label.to_owned() }).collect();
        Self { scale: Scale::Tail, from: 0.0, to, marks }
    }

    /// Where a value is: 0 at the beginning, 1 at the end.
    pub(super) fn place(&self, value: f64) -> f64 {
        let length = |value: f64| match self.scale {
            Scale::Linear => value,
            Scale::SquareRoot => value.max(0.0).sqrt(),
            Scale::Logarithmic => value.max(f64::MIN_POSITIVE).log10(),
            Scale::Tail => -(1.0 - value).max(f64::MIN_POSITIVE).log10(),
        };
        let (from, to) = (length(self.from), length(self.to));
        if to > from { (length(value) - from) / (to - from) } else { 0.5 }
    }
}

impl Mark {
    fn of(at: f64) -> Self {
        Self { at, label: grouped(at) }
    }
}

/// With a comma between thousands, and no more digits after the point than there are.
pub(super) fn grouped(value: f64) -> String {
    let text = format!("{}", (value * 1e6).round() / 1e6);
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        let left = whole.len() - index;
        if index > 0 && left % 3 == 0 && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

/// 1, 2 or 5 of some power of ten, not less than that.
pub(super) fn round_step(step: f64) -> f64 {
    if step <= 0.0 || !step.is_finite() {
        return 1.0;
    }
    let power = 10f64.powf(step.log10().floor());
    let digit = [1.0, 2.0, 5.0].into_iter().find(|digit| step <= digit * power * (1.0 + 1e-9));
    digit.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> Vec<&str> {
        axis.marks.iter().map(|mark| mark.label.as_str()).collect()
    }

    /// Broken: an axis ends below its data, or its marks are figures that nobody counts in.
    #[test]
    fn marks_are_round_and_contain_the_data() {
        assert_eq!(labels(&Axis::from_zero(186.2)), ["0", "50", "100", "150", "200"]);
        assert_eq!(labels(&Axis::from_zero(0.05)), ["0", "0.01", "0.02", "0.03", "0.04", "0.05"]);
        assert_eq!(labels(&Axis::from_zero(0.0)), ["0", "1"]);
        assert_eq!(labels(&Axis::up_to(186.2)), ["0", "50", "100", "150"]);
        assert_eq!(labels(&Axis::up_to(30.0)), ["0", "10", "20", "30"]);
        assert_eq!(
            labels(&Axis::logarithmic(70.0, 1900.0)),
            ["50", "100", "200", "500", "1,000", "2,000"]
        );
        assert_eq!(
            labels(&Axis::logarithmic(3.0, 90_000.0)),
            ["10", "100", "1,000", "10,000", "100,000"]
        );
        for max in [0.3, 7.0, 99.9, 100.0, 100.1, 12_345.0] {
            let axis = Axis::from_zero(max);
            assert!(axis.to >= max && axis.to <= 2.0 * max, "{max}: {axis:?}");
            assert_eq!(axis.marks.last().unwrap().at, axis.to);
        }
    }

    /// Broken: the small are unseen beside the great, or equals are far apart.
    #[test]
    fn fits_its_range() {
        assert_eq!(Axis::fitting(10.0, 100.0).scale, Scale::Linear);
        assert_eq!(Axis::fitting(1.0, 100.0).scale, Scale::Logarithmic);
        assert_eq!(Axis::fitting(0.0, 100.0).scale, Scale::Linear);
    }

    /// Broken: a value is drawn elsewhere than its marks say.
    #[test]
    fn places_by_scale() {
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} is not {b}");
        near(Axis::of_values(Scale::SquareRoot, &[0.0, 4.0, 16.0]).place(4.0), 0.5);
        near(Axis::of_values(Scale::Logarithmic, &[1.0, 100.0]).place(10.0), 0.5);
        near(Axis::tail(10_000).place(0.9), 1.0 / 3.0);
        near(Axis::tail(10_000).place(0.999), 1.0);
        near(Axis::of_values(Scale::Linear, &[5.0]).place(5.0), 0.5);
        assert_eq!(labels(&Axis::tail(100)), ["0 %", "50 %", "90 %", "99 %"]);
    }
}
