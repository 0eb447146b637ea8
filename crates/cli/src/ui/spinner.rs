//! One line that changes while something goes on.

use indicatif::{MultiProgress, ProgressBar};

/// Shows nothing where no terminal is.
pub(crate) struct Spinner(Option<ProgressBar>);

impl Spinner {
    pub(super) fn new(bars: Option<&MultiProgress>) -> Spinner {
        Spinner(bars.map(|bars| bars.add(ProgressBar::new_spinner())))
    }

    /// Replaces the line.
    pub(crate) fn show(&self, text: String) {
        if let Some(bar) = &self.0 {
            bar.set_message(text);
            bar.tick();
        }
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
