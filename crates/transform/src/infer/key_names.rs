//! What a column's name says about its place in a sorting key.

use super::names::Name;

impl Name {
    /// The time of the event itself, the surer the lower; none where it is another time.
    pub(super) fn event_time(&self) -> Option<u8> {
        const OTHERS: &[&str] = &[
            "expires",
            "expiry",
            "expiration",
            "birth",
            "birthday",
            "dob",
            "due",
            "valid",
            "until",
            "delivery",
            "scheduled",
            "planned",
            "updated",
            "modified",
            "deleted",
            "closed",
            "merged",
            "shipped",
            "end",
            "ended",
        ];
        if self.has(OTHERS) {
            return None;
        }
        let plain: &[&[&str]] = &[&["timestamp"], &["ts"], &["time"], &["datetime"]];
        if self.is(plain) || (self.has(&["event"]) && self.is_time()) {
            return Some(0);
        }
        let happened =
            ["occurred", "observed", "measured", "recorded", "sampled", "emitted", "read", "logged"];
        if self.has(&happened) && self.is_time() {
            return Some(1);
        }
        let began = ["created", "placed", "ordered", "started", "start", "received", "sent"];
        match (self.has(&began) && self.is_time(), self.is_time()) {
            (true, _) => Some(2),
            (false, true) => Some(3),
            _ => Some(4),
        }
    }

    /// How well the name suits the head of a sorting key, the better the lower: what queries ask for first.
    pub(super) fn sorting_rank(&self) -> Option<usize> {
        const FIRST: &[&[&str]] = &[
            &["tenant"],
            &["tenant", "id"],
            &["org"],
            &["organization"],
            &["project"],
            &["service"],
            &["service", "name"],
            &["app"],
            &["application"],
            &["site"],
            &["location"],
            &["event", "type"],
            &["event"],
            &["event", "name"],
            &["type"],
            &["kind"],
            &["action"],
            &["device", "id"],
            &["sensor", "id"],
            &["sensor"],
            &["device"],
            &["metric"],
            &["host"],
            &["hostname"],
            &["store"],
            &["store", "id"],
            &["shop"],
        ];
        FIRST.iter().position(|words| self.is(&[words]))
    }

    /// The same for names that will do where there is no better one.
    pub(super) fn second_sorting_rank(&self) -> Option<usize> {
        const SECOND: &[&str] = &["channel", "source", "category", "level", "severity", "region", "country"];
        SECOND.iter().position(|word| self.is(&[&[word]]))
    }

    /// What changes while the thing that it is about stays the same, so that a sorting key should do without it.
    pub(super) fn is_state(&self) -> bool {
        self.ends(&["status", "state", "stage", "phase"])
    }

    /// How sure the name says that each row has a value of its own, the lower the surer; none for things that many rows
    /// are about.
    pub(super) fn id_rank(&self) -> Option<u8> {
        const ROWS: &[&str] = &[
            "event",
            "message",
            "record",
            "row",
            "order",
            "transaction",
            "request",
            "trip",
            "payment",
            "log",
        ];
        const OTHERS: &[&str] = &[
            "user",
            "customer",
            "account",
            "session",
            "visitor",
            "anonymous",
            "actor",
            "product",
            "category",
            "item",
            "device",
            "sensor",
            "trace",
            "span",
            "parent",
            "tenant",
            "org",
            "store",
            "shop",
        ];
        if !self.is_id() || self.has(OTHERS) {
            None
        } else if self.is(&[&["id"], &["uuid"], &["guid"]]) {
            Some(0)
        } else {
            Some(if self.has(ROWS) { 1 } else { 2 })
        }
    }
}
