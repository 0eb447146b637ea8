//! The whole terminal, drawn again and again, and given back as it was.

use std::io::{self, Read, Write};
use std::sync::{Mutex, Once, PoisonError};

use nix::sys::termios::{SetArg, Termios, cfmakeraw, tcgetattr, tcsetattr};
use tokio::sync::mpsc;

use super::grid::cut;
use super::keys::{Key, Keys};

/// Keys that wait to be heard, at most.
const KEYS_MAX: usize = 64;
/// Bytes that are read of the terminal at once.
const READ_BYTES: usize = 256;

/// How the terminal was before; none while it is as it was.
static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);

/// The other screen, without a cursor; and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
const LEAVE: &str = "\x1b[?2026l\x1b[0m\x1b[?25h\x1b[?1049l";

/// How a line looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Look {
    #[default]
    Plain,
    Head,
    Dim,
    Alarm,
    Selected,
}

/// A line of the screen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ScreenLine {
    /// Without control characters.
    pub(crate) text: String,
    pub(crate) look: Look,
}

impl ScreenLine {
    pub(crate) fn new(look: Look, text: impl Into<String>) -> ScreenLine {
        ScreenLine { text: text.into(), look }
    }
}

/// The terminal, ours until this is dropped. It is given back on a panic as well, before its message is printed.
pub(crate) struct Screen {
    has_colors: bool,
}

impl Screen {
    /// Takes the terminal over: nothing is shown of what is typed, and each byte is a key.
    pub(crate) fn enter() -> io::Result<Screen> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                give_back();
                before(panic);
            }));
        });
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        cfmakeraw(&mut raw);
        *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = Some(before);
        let screen = Screen { has_colors: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()) };
        tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &raw)?;
        io::stdout().write_all(ENTER.as_bytes())?;
        io::stdout().flush()?;
        Ok(screen)
    }

    /// Columns and lines.
    pub(crate) fn size(&self) -> (usize, usize) {
        let size = terminal_size::terminal_size();
        size.map_or((80, 24), |(width, height)| (usize::from(width.0), usize::from(height.0)))
    }

    /// Draws `lines`, as many of them as there is room for.
    pub(crate) fn draw(&self, lines: &[ScreenLine]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(self.drawn(lines, self.size()).as_bytes())?;
        out.flush()
    }

    fn drawn(&self, lines: &[ScreenLine], (width, height): (usize, usize)) -> String {
        // All of it at once, where the terminal knows how, and nothing is wiped first: nothing flickers.
        let mut drawn = String::from("\x1b[?2026h\x1b[H");
        for (index, line) in lines.iter().take(height).enumerate() {
            if index > 0 {
                drawn.push_str("\r\n");
            }
            drawn.push_str(self.sequence(line.look));
            drawn.push_str(&cut(&line.text, width));
            drawn.push_str("\x1b[K\x1b[0m");
        }
        drawn.push_str("\x1b[J\x1b[?2026l");
        drawn
    }

    fn sequence(&self, look: Look) -> &'static str {
        match look {
            Look::Plain => "",
            Look::Head => "\x1b[1m",
            Look::Dim => "\x1b[2m",
            Look::Alarm if self.has_colors => "\x1b[31m",
            Look::Alarm => "\x1b[1m",
            Look::Selected => "\x1b[7m",
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Gives the terminal back as it was, if it was taken.
fn give_back() {
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(before) = before {
        // A terminal that is gone has nothing to show.
        let _ = io::stdout().write_all(LEAVE.as_bytes());
        let _ = io::stdout().flush();
        let _ = tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &before);
    }
}

/// The keys that are pressed from now on. They end where the terminal does.
pub(crate) fn pressed() -> mpsc::Receiver<Key> {
    let (sender, receiver) = mpsc::channel(KEYS_MAX);
    // It waits for a key when the command ends, and goes with the process.
    std::thread::spawn(move || {
        let (mut keys, mut buffer) = (Keys::default(), [0; READ_BYTES]);
        while let Ok(length @ 1..) = io::stdin().lock().read(&mut buffer) {
            for key in keys.push(&buffer[..length]) {
                if sender.blocking_send(key).is_err() {
                    return;
                }
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_to_the_screen() {
        let lines = ["first line", "second", "third"].map(|text| ScreenLine::new(Look::Plain, text));
        let mut lines = lines.to_vec();
        lines[1].look = Look::Alarm;
        let drawn = |has_colors, size| Screen { has_colors }.drawn(&lines, size);
        assert_eq!(
            drawn(true, (8, 2)),
            "\x1b[?2026h\x1b[Hfirst l…\x1b[K\x1b[0m\r\n\x1b[31msecond\x1b[K\x1b[0m\x1b[J\x1b[?2026l"
        );
        assert!(!drawn(false, (80, 24)).contains("\x1b[31m"));
    }
}
