//! A row of numbers as a line of bars.

/// Bars from nothing to the highest.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The last `width` of `values` as bars as high as the highest of them; blanks where there are fewer.
pub(crate) fn spark(values: &[u64], width: usize) -> String {
    let shown = &values[values.len().saturating_sub(width)..];
    let highest = shown.iter().copied().max().unwrap_or(0).max(1);
    let mut line = " ".repeat(width - shown.len());
    for value in shown {
        // Anything above nothing is seen.
        let steps = u128::from(*value) * (BARS.len() as u128 - 1);
        let bar = usize::try_from(steps.div_ceil(u128::from(highest))).unwrap_or(0);
        line.push(BARS[bar.min(BARS.len() - 1)]);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_high_as_their_values() {
        assert_eq!(spark(&[0, 1, 50, 100], 6), "  ▁▂▅█");
        assert_eq!(spark(&[9, 0, 0], 2), "▁▁", "what is not shown makes nothing lower");
        assert_eq!(spark(&[u64::MAX, 1], 2), "█▂");
        assert_eq!(spark(&[], 3), "   ");
    }
}
