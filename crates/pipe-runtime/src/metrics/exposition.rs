//! Metrics as text, in the two formats that Prometheus reads.
//!
//! Sources: "Exposition formats" of Prometheus' documentation for version 0.0.4 of the text format, and the OpenMetrics specification,
//! version 1.0.0.

use std::fmt::Write as _;

use super::family::{Family, Kind};
use super::histogram::Histogram;

/// How metrics are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// The text format of Prometheus, version 0.0.4.
    #[default]
    Text,
    /// OpenMetrics, version 1.0.0.
    OpenMetrics,
}

impl Format {
    /// The format for a reader that sends this `Accept`.
    ///
    /// ```
    /// use housepipe_runtime::metrics::Format;
    /// assert_eq!(Format::accepted("application/openmetrics-text;version=1.0.0,text/plain;q=0.3"), Format::OpenMetrics);
    /// assert_eq!(Format::accepted("*/*"), Format::Text);
    /// ```
    pub fn accepted(accept: &str) -> Format {
        let takes =
            |media: &str| media.split(';').next().map(str::trim) == Some("application/openmetrics-text");
        if accept.split(',').any(takes) { Format::OpenMetrics } else { Format::Text }
    }

    /// What an answer in this format has as its `Content-Type`.
    pub fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Metrics that are being written. Each family is written once, with all of its samples.
#[derive(Debug)]
pub struct Exposition {
    format: Format,
    text: String,
}

/// Writes the samples of one family.
#[derive(Debug)]
pub struct Samples<'a> {
    text: &'a mut String,
    family: &'a Family,
    /// Values of the first labels, which all samples that are written by it share.
    shared: &'a [&'a str],
}

/// The value of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// A count.
    Whole(i128),
    /// A measure.
    Float(f64),
}

impl Exposition {
    /// One without metrics.
    pub fn new(format: Format) -> Exposition {
        Exposition { format, text: String::new() }
    }

    /// Writes a family. One without samples is left out.
    pub fn family(&mut self, family: &Family, samples: impl FnOnce(&mut Samples<'_>)) {
        let before = self.text.len();
        self.head(family);
        let head = self.text.len();
        samples(&mut Samples { text: &mut self.text, family, shared: &[] });
        if self.text.len() == head {
            self.text.truncate(before);
        }
    }

    fn head(&mut self, family: &Family) {
        let name = match self.format {
            Format::Text => family.name,
            Format::OpenMetrics => family.stem(),
        };
        let help = family.help.replace('\\', "\\\\").replace('\n', "\\n");
        let help = if self.format == Format::OpenMetrics { help.replace('"', "\\\"") } else { help };
        self.line(format_args!("# HELP {name} {help}"));
        self.line(format_args!("# TYPE {name} {}", family.kind));
        if let (Format::OpenMetrics, Some(unit)) = (self.format, family.unit()) {
            self.line(format_args!("# UNIT {name} {unit}"));
        }
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // A string takes whatever is written to it.
        let _ = writeln!(self.text, "{line}");
    }

    /// What was written.
    pub fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

impl Samples<'_> {
    /// Samples of the same family whose first labels have these values.
    pub fn of<'b>(&'b mut self, shared: &'b [&'b str]) -> Samples<'b> {
        Samples { text: self.text, family: self.family, shared }
    }

    /// Writes a sample; `labels` are the values of the labels that are not shared.
    pub fn value(&mut self, labels: &[&str], value: impl Into<Number>) {
        debug_assert_ne!(self.family.kind, Kind::Histogram, "{}", self.family.name);
        self.line("", labels, None, value.into());
    }

    /// Writes the buckets of a histogram, its sum and its count.
    pub fn histogram(&mut self, labels: &[&str], histogram: &Histogram) {
        debug_assert_eq!(self.family.kind, Kind::Histogram, "{}", self.family.name);
        for (bound, count) in histogram.cumulative() {
            // As a floating-point number, in both formats: the same bucket is the same series then.
            let bound = bound.map_or_else(|| "+Inf".to_owned(), |bound| format!("{bound:?}"));
            self.line("_bucket", labels, Some(&bound), count.into());
        }
        self.line("_sum", labels, None, histogram.sum().into());
        self.line("_count", labels, None, histogram.count().into());
    }

    fn line(&mut self, suffix: &str, labels: &[&str], bound: Option<&str>, value: Number) {
        debug_assert_eq!(
            self.shared.len() + labels.len(),
            self.family.labels.len(),
            "{} has a value for each label",
            self.family.name
        );
        self.text.push_str(self.family.name);
        self.text.push_str(suffix);
        let values = self.shared.iter().chain(labels).copied();
        let named = self.family.labels.iter().copied().zip(values).chain(bound.map(|bound| ("le", bound)));
        let mut opening = '{';
        for (name, value) in named {
            self.text.push(opening);
            self.text.push_str(name);
            self.text.push_str("=\"");
            push_escaped(self.text, value);
            self.text.push('"');
            opening = ',';
        }
        if opening == ',' {
            self.text.push('}');
        }
        // A string takes whatever is written to it.
        let _ = match value {
            Number::Whole(whole) => writeln!(self.text, " {whole}"),
            Number::Float(float) => writeln!(self.text, " {float}"),
        };
    }
}

fn push_escaped(text: &mut String, value: &str) {
    for letter in value.chars() {
        match letter {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            letter => text.push(letter),
        }
    }
}

impl From<u64> for Number {
    fn from(number: u64) -> Number {
        Number::Whole(number.into())
    }
}

impl From<i128> for Number {
    fn from(number: i128) -> Number {
        Number::Whole(number)
    }
}

impl From<bool> for Number {
    fn from(holds: bool) -> Number {
        Number::Whole(holds.into())
    }
}

impl From<f64> for Number {
    fn from(number: f64) -> Number {
        Number::Float(number)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::super::histogram::Scale;
    use super::*;

    static FEW: Scale = Scale { bounds: &[500, 2_000], per_unit: 1_000 };

    fn written(format: Format) -> String {
        let mut exposition = Exposition::new(format);
        let read = Family::counter("test_read_bytes_total", &["pipe", "code"], "Bytes of \"x\\y\".\nSo.");
        exposition.family(&read, |samples| {
            samples.of(&["a"]).value(&["quoted \"\\\n"], 7_u64);
            samples.value(&["b", "c"], i128::from(u64::MAX));
        });
        exposition.family(&Family::gauge("test_none", &[], "Left out."), |_| ());
        let took = Family::histogram("test_took_seconds", &[], "Time.");
        let mut histogram = Histogram::new(&FEW);
        [100, 500, 501, 9_000].into_iter().for_each(|value| histogram.observe(value, 1));
        exposition.family(&took, |samples| samples.histogram(&[], &histogram));
        exposition.finish()
    }

    #[test]
    fn the_text_format_has_each_family_once_with_its_samples() {
        expect![[r##"
            # HELP test_read_bytes_total Bytes of "x\\y".\nSo.
            # TYPE test_read_bytes_total counter
            test_read_bytes_total{pipe="a",code="quoted \"\\\n"} 7
            test_read_bytes_total{pipe="b",code="c"} 18446744073709551615
            # HELP test_took_seconds Time.
            # TYPE test_took_seconds histogram
            test_took_seconds_bucket{le="0.5"} 2
            test_took_seconds_bucket{le="2.0"} 3
            test_took_seconds_bucket{le="+Inf"} 4
            test_took_seconds_sum 10.101
            test_took_seconds_count 4
        "##]]
        .assert_eq(&written(Format::Text));
    }

    #[test]
    fn openmetrics_names_units_and_says_where_it_ends() {
        let text = written(Format::OpenMetrics);
        for line in [
            "# HELP test_read_bytes Bytes of \\\"x\\\\y\\\".\\nSo.",
            "# TYPE test_read_bytes counter",
            "# UNIT test_read_bytes bytes",
            "test_read_bytes_total{pipe=\"b\",code=\"c\"} 18446744073709551615",
            "# UNIT test_took_seconds seconds",
        ] {
            assert!(text.lines().any(|written| written == line), "{line} in {text}");
        }
        assert!(text.ends_with("# EOF\n") && !text.contains("test_none"), "{text}");
    }
}
