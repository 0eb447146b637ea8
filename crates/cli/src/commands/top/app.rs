//! What the screen shows, and what keys do to it. No IO.

use super::history::Row;
use crate::remote::EventView;
use crate::ui::Key;

/// Events of the opened pipe that are kept, at most.
const EVENTS_MAX: usize = 200;
/// Lines that a page key moves by.
const PAGE: isize = 10;
/// Letters of a filter, at most.
const FILTER_MAX: usize = 100;

/// What pipes are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    Lag,
    Rate,
    Rejected,
    Name,
}

impl Order {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Order::Lag => "lag",
            Order::Rate => "rate",
            Order::Rejected => "rejected",
            Order::Name => "name",
        }
    }

    fn next(self) -> Order {
        match self {
            Order::Lag => Order::Rate,
            Order::Rate => Order::Rejected,
            Order::Rejected => Order::Name,
            Order::Name => Order::Lag,
        }
    }
}

/// What is on the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum View {
    List,
    /// A filter is being typed.
    Filter,
    /// One pipe, by its id.
    One(String),
}

/// What a pipe is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) id: String,
    pub(crate) name: String,
    /// It is to rest; otherwise to run.
    pub(crate) pause: bool,
}

/// What a key asks for beside another look of the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    Quit,
    Tell(Wish),
}

/// The state of the screen.
#[derive(Debug)]
pub(crate) struct App {
    /// Where the pipes are.
    pub(crate) server: String,
    /// Whether pipes can be told something, and have events.
    pub(crate) is_service: bool,
    pub(crate) rows: Vec<Row>,
    pub(crate) order: Order,
    pub(crate) filter: String,
    pub(crate) view: View,
    /// What is asked at the moment.
    pub(crate) asks: Option<Wish>,
    /// The pipe that is selected, by its id: the selection stays with it where the order changes.
    pub(crate) selected: Option<String>,
    /// Events of the opened pipe.
    pub(crate) events: Vec<EventView>,
    /// What was told last.
    pub(crate) message: Option<String>,
    /// Why there is no newer look.
    pub(crate) trouble: Option<String>,
}

impl App {
    pub(crate) fn new(server: String, is_service: bool, rows: Vec<Row>) -> App {
        let mut app = App {
            server,
            is_service,
            rows,
            order: Order::Lag,
            filter: String::new(),
            view: View::List,
            asks: None,
            selected: None,
            events: Vec::new(),
            message: None,
            trouble: None,
        };
        app.sort();
        app
    }

    /// Takes a look in, or why there is none.
    pub(crate) fn look(&mut self, look: Result<Vec<Row>, String>) {
        match look {
            Ok(rows) => {
                (self.rows, self.trouble) = (rows, None);
                self.sort();
            }
            Err(why) => self.trouble = Some(why),
        }
    }

    /// Takes in events of the pipe `id`, in their order.
    pub(crate) fn tell(&mut self, id: &str, events: Vec<EventView>) {
        if self.view == View::One(id.to_owned()) {
            self.events.extend(events);
            let older = self.events.len().saturating_sub(EVENTS_MAX);
            self.events.drain(..older);
        }
    }

    /// The pipe that is opened, by its id.
    pub(crate) fn opened(&self) -> Option<&str> {
        match &self.view {
            View::One(id) => Some(id),
            View::List | View::Filter => None,
        }
    }

    /// The pipes that the filter lets through, in their order.
    pub(crate) fn shown(&self) -> Vec<&Row> {
        let wanted = self.filter.to_lowercase();
        let is_wanted = |row: &&Row| {
            [&row.pipe.name, &row.pipe.stage].into_iter().any(|text| text.to_lowercase().contains(&wanted))
        };
        self.rows.iter().filter(is_wanted).collect()
    }

    /// The place of the selected pipe among those that are shown.
    pub(crate) fn at(&self, shown: &[&Row]) -> usize {
        let at = self.selected.as_ref().and_then(|id| shown.iter().position(|row| row.pipe.id == *id));
        at.unwrap_or(0)
    }

    /// The pipe that keys are about.
    pub(crate) fn meant(&self) -> Option<&Row> {
        let shown = self.shown();
        match self.opened() {
            Some(id) => self.rows.iter().find(|row| row.pipe.id == id),
            None => shown.get(self.at(&shown)).copied(),
        }
    }

    /// What a key does.
    pub(crate) fn press(&mut self, key: Key) -> Option<Act> {
        if key == Key::Interrupt {
            return Some(Act::Quit);
        }
        self.message = None;
        if let Some(wish) = self.asks.take() {
            return matches!(key, Key::Char('y' | 'Y')).then_some(Act::Tell(wish));
        }
        match (&self.view, key) {
            (View::Filter, key) => self.type_filter(key),
            (_, Key::Char('q')) => return Some(Act::Quit),
            (_, Key::Char('p')) => self.ask(),
            (View::One(_), Key::Escape | Key::Backspace | Key::Enter) => self.show(View::List),
            (View::One(_), _) => {}
            (View::List, Key::Enter) => {
                if let Some(id) = self.meant().map(|row| row.pipe.id.clone()) {
                    self.selected = Some(id.clone());
                    self.show(View::One(id));
                }
            }
            (View::List, Key::Char('/')) => self.view = View::Filter,
            (View::List, Key::Escape) => self.filter.clear(),
            (View::List, Key::Char('s')) => {
                self.order = self.order.next();
                self.sort();
            }
            (View::List, Key::Up | Key::Char('k')) => self.select(-1),
            (View::List, Key::Down | Key::Char('j')) => self.select(1),
            (View::List, Key::PageUp) => self.select(-PAGE),
            (View::List, Key::PageDown) => self.select(PAGE),
            (View::List, Key::Home | Key::Char('g')) => self.select(isize::MIN),
            (View::List, Key::End | Key::Char('G')) => self.select(isize::MAX),
            (View::List, _) => {}
        }
        None
    }

    fn show(&mut self, view: View) {
        self.view = view;
        self.events.clear();
    }

    fn type_filter(&mut self, key: Key) {
        match key {
            Key::Enter => self.view = View::List,
            Key::Escape => {
                self.filter.clear();
                self.view = View::List;
            }
            Key::Backspace => {
                self.filter.pop();
            }
            Key::Char(character) if self.filter.chars().count() < FILTER_MAX => self.filter.push(character),
            _ => {}
        }
    }

    fn ask(&mut self) {
        let wish = self.meant().map(|row| Wish {
            id: row.pipe.id.clone(),
            name: row.pipe.name.clone(),
            pause: row.pipe.wanted == "running" && row.pipe.stage != "failed",
        });
        match wish {
            Some(wish) if self.is_service => self.asks = Some(wish),
            Some(_) => self.message = Some("metrics tell, and cannot be told anything".to_owned()),
            None => {}
        }
    }

    fn select(&mut self, by: isize) {
        let shown = self.shown();
        let Some(last) = shown.len().checked_sub(1) else { return };
        let to = self.at(&shown).saturating_add_signed(by).min(last);
        self.selected = Some(shown[to].pipe.id.clone());
    }

    fn sort(&mut self) {
        let rate = |row: &Row| row.read_per_second.unwrap_or(0.0);
        let by_name = |a: &Row, b: &Row| a.pipe.name.cmp(&b.pipe.name);
        match self.order {
            Order::Lag => self.rows.sort_by(|a, b| {
                let lag = |row: &Row| row.pipe.lag_records();
                urgency(a).cmp(&urgency(b)).then_with(|| lag(b).cmp(&lag(a))).then_with(|| by_name(a, b))
            }),
            Order::Rate => self.rows.sort_by(|a, b| rate(b).total_cmp(&rate(a)).then_with(|| by_name(a, b))),
            Order::Rejected => self.rows.sort_by(|a, b| {
                b.pipe.counters.rejected.cmp(&a.pipe.counters.rejected).then_with(|| by_name(a, b))
            }),
            Order::Name => self.rows.sort_by(by_name),
        }
    }
}

/// The order of those that somebody has to look at: what is not known may be the worst, and what rests is to.
fn urgency(row: &Row) -> u8 {
    match (row.pipe.stage.as_str(), row.pipe.lag_records()) {
        ("failed" | "misconfigured", _) => 0,
        ("paused", _) => 3,
        (_, None) => 1,
        (_, Some(_)) => 2,
    }
}
