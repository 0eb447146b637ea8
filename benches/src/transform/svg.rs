//! The plot: a group of bars for each corpus, one bar for each reader. Colours follow the reader's light or dark mode.

use std::fmt::{self, Write as _};

use super::cases::OURS;
use super::clickhouse::TO_ROW_BINARY;
use super::report::{CorpusReport, Report};

/// The rows that are drawn: name, and class of its colour.
const BARS: [(&str, &str); 5] = [
    (OURS, "ours"),
    ("sonic-rs typed", "a"),
    ("simd-json typed", "b"),
    ("serde_json typed", "c"),
    (TO_ROW_BINARY, "d"),
];

const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#1f2328}.h{font-weight:600}\
.axis{stroke:#d0d7de}.ours{fill:#e36209}.a{fill:#0969da}.b{fill:#54aeff}.c{fill:#8c959f}.d{fill:#bf8700}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.axis{stroke:#444c56}.ours{fill:#f0883e}.a{fill:#58a6ff}\
.b{fill:#1f6feb}.c{fill:#8b949e}.d{fill:#d29922}}";

const WIDTH: f64 = 820.0;
const LABEL_WIDTH: f64 = 130.0;
const VALUE_WIDTH: f64 = 60.0;
const BAR_HEIGHT: f64 = 12.0;
const HEAD_HEIGHT: f64 = 62.0;
const GAP: f64 = 14.0;

/// Draws the corpora of one size, medians in GB/s.
///
/// # Errors
/// Never for a text.
pub fn draw(report: &Report, size: &str) -> Result<String, fmt::Error> {
    let corpora: Vec<&CorpusReport> = report.corpora.iter().filter(|corpus| corpus.size == size).collect();
    let top = corpora
        .iter()
        .flat_map(|corpus| BARS.iter().filter_map(|(case, _)| corpus.timing(case)))
        .map(|timing| timing.median_gb_s)
        .fold(0.1, f64::max);
    let mut body = String::new();
    let mut y = HEAD_HEIGHT;
    for corpus in &corpora {
        y = group(&mut body, corpus, y, (WIDTH - LABEL_WIDTH - VALUE_WIDTH) / top)?;
    }
    let mut text = String::new();
    writeln!(
        text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {y:.0}\" role=\"img\" \
         aria-label=\"GB/s of JSON to RowBinary by corpus and reader\"><style>{STYLE}</style>"
    )?;
    writeln!(
        text,
        "<text class=\"h\" x=\"8\" y=\"20\">JSON to RowBinary on one core, GB/s (longer is faster)</text>"
    )?;
    legend(&mut text)?;
    writeln!(
        text,
        "<line class=\"axis\" x1=\"{LABEL_WIDTH}\" x2=\"{LABEL_WIDTH}\" y1=\"{HEAD_HEIGHT}\" y2=\"{y:.0}\"/>"
    )?;
    text.push_str(&body);
    text.push_str("</svg>\n");
    Ok(text)
}

fn legend(text: &mut String) -> fmt::Result {
    let mut x = 8.0;
    for (name, class) in BARS {
        writeln!(text, "<rect class=\"{class}\" x=\"{x:.0}\" y=\"34\" width=\"10\" height=\"10\"/>")?;
        writeln!(text, "<text x=\"{:.0}\" y=\"43\">{}</text>", x + 14.0, escape(name))?;
        x += 34.0 + 7.0 * name.len() as f64;
    }
    Ok(())
}

/// The bars of a corpus from `y` on; returns where the next group starts.
fn group(text: &mut String, corpus: &CorpusReport, mut y: f64, scale: f64) -> Result<f64, fmt::Error> {
    writeln!(text, "<text class=\"h\" x=\"8\" y=\"{:.0}\">{}</text>", y + 11.0, escape(&corpus.corpus))?;
    for (case, class) in BARS {
        let Some(timing) = corpus.timing(case) else { continue };
        let speed = timing.median_gb_s;
        let width = speed * scale;
        writeln!(
            text,
            "<rect class=\"{class}\" x=\"{LABEL_WIDTH}\" y=\"{y:.0}\" width=\"{width:.1}\" height=\"{:.0}\"/>",
            BAR_HEIGHT - 1.0
        )?;
        writeln!(
            text,
            "<text x=\"{:.1}\" y=\"{:.0}\">{speed:.2}</text>",
            LABEL_WIDTH + width + 5.0,
            y + BAR_HEIGHT - 2.0
        )?;
        y += BAR_HEIGHT;
    }
    Ok(y + GAP)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
