//! What a name says about its values. A name alone never decides: the values have to agree.

/// The words of a name, in lower case: `createdAt`, `created_at` and `created-at` have the same.
pub(super) fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut was_lower = false;
    let mut begins = true;
    for c in name.chars() {
        if !c.is_alphanumeric() {
            begins = true;
            continue;
        }
        if begins || (c.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        (begins, was_lower) = (false, !c.is_uppercase());
        if let Some(word) = words.last_mut() {
            word.extend(c.to_lowercase());
        }
    }
    words
}

/// A name, by its words.
#[derive(Debug, Clone)]
pub(super) struct Name(Vec<String>);

impl Name {
    pub(super) fn new(name: &str) -> Name {
        Name(words(name))
    }

    pub(super) fn has(&self, list: &[&str]) -> bool {
        self.0.iter().any(|word| list.contains(&word.as_str()))
    }

    pub(super) fn ends(&self, list: &[&str]) -> bool {
        self.0.last().is_some_and(|word| list.contains(&word.as_str()))
    }

    pub(super) fn is(&self, list: &[&[&str]]) -> bool {
        list.iter().any(|words| self.0.iter().map(String::as_str).eq(words.iter().copied()))
    }

    /// A yes or no.
    pub(super) fn is_flag(&self) -> bool {
        self.0.len() > 1 && self.0.first().is_some_and(|word| matches!(word.as_str(), "is" | "has" | "was"))
    }

    /// A moment, not a span of time or a count.
    pub(super) fn is_time(&self) -> bool {
        const OTHERS: &[&str] = &[
            "duration", "elapsed", "latency", "took", "timeout", "ttl", "uptime", "response", "load",
            "bytes", "count", "total", "size", "packets", "rows",
        ];
        const UNITS: &[&str] =
            &["ms", "millis", "us", "micros", "ns", "nanos", "s", "sec", "seconds", "unix", "epoch"];
        const TIMES: &[&str] = &[
            "ts",
            "time",
            "timestamp",
            "at",
            "date",
            "datetime",
            "when",
            "start",
            "started",
            "end",
            "ended",
            "created",
            "updated",
            "sent",
            "received",
            "occurred",
            "recorded",
            "measured",
            "expires",
            "seen",
        ];
        let without_unit = self.0.iter().rfind(|word| !UNITS.contains(&word.as_str()));
        let is_named = without_unit.is_some_and(|word| TIMES.contains(&word.as_str()));
        !self.has(OTHERS) && (is_named || self.has(&["epoch", "unix"]))
    }

    /// An amount of money in its main unit.
    pub(super) fn is_money(&self) -> bool {
        const MONEY: &[&str] = &[
            "price", "amount", "total", "subtotal", "cost", "tax", "vat", "fee", "discount", "revenue",
            "balance", "paid", "refund", "tip", "salary", "shipping",
        ];
        self.has(MONEY) && !self.has(NO_MONEY) && !self.is_label()
    }

    /// An amount of money that has a fraction one day, whatever was seen.
    pub(super) fn is_price(&self) -> bool {
        self.has(&["price", "subtotal", "tax", "vat", "fee"]) && !self.has(NO_MONEY) && !self.is_label()
    }

    /// What is measured, so that it has a fraction one day, whatever was seen.
    pub(super) fn is_measure(&self) -> bool {
        const MEASURES: &[&str] = &[
            "temperature",
            "temp",
            "humidity",
            "lat",
            "latitude",
            "lon",
            "lng",
            "longitude",
            "altitude",
            "pressure",
            "speed",
            "velocity",
            "weight",
            "voltage",
            "ratio",
        ];
        self.has(MEASURES) && !self.is_label()
    }

    /// A number that is below zero one day, whatever was seen.
    pub(super) fn may_be_negative(&self) -> bool {
        self.has(&[
            "balance",
            "delta",
            "diff",
            "change",
            "score",
            "position",
            "adjustment",
            "profit",
            "timezone",
            "tz",
            "amount",
            "offset",
        ])
    }

    /// The range that the meaning of the name allows, where it bounds it: what was seen has to lie inside, and what comes
    /// is expected to fit the type that holds it.
    pub(super) fn bound(&self) -> Option<(i128, i128)> {
        let bounds: [(bool, (i128, i128)); 7] = [
            // The codes of HTTP; other lists of codes have no bound that is known.
            (self.ends(&["status", "code"]), (100, 599)),
            (self.ends(&["port"]), (0, 65_535)),
            (self.ends(&["year"]), (1000, 3000)),
            (self.has(&["percent", "pct"]) && !self.is_label(), (0, 100)),
            (self.is(&[&["month"], &["day"], &["hour"], &["minute"], &["weekday"], &["age"]]), (0, 150)),
            (self.has(&["rssi", "dbm"]) && !self.is_label(), (-1000, 1000)),
            (
                self.ends(&[
                    "quantity", "qty", "width", "height", "pid", "line", "attempt", "attempts", "retries",
                ]),
                (0, 1_000_000),
            ),
        ];
        bounds.into_iter().find(|(is_named, _)| *is_named).map(|(_, bound)| bound)
    }

    /// A number that tells one thing or kind from others, whatever else the name says: `tax_id`, `pressure_sensor_id`.
    fn is_label(&self) -> bool {
        const LABELS: &[&str] =
            &["ids", "no", "nr", "number", "code", "ref", "type", "kind", "index", "idx", "version"];
        self.is_id() || self.ends(LABELS)
    }

    /// Each value stands for a thing of its own.
    pub(super) fn is_id(&self) -> bool {
        self.ends(&["id", "uuid", "guid", "sha", "hash", "token", "key"])
    }

    /// Texts that people or programs write freely: that they repeat among a few samples says little.
    pub(super) fn is_free_text(&self) -> bool {
        self.ends(&[
            "message",
            "msg",
            "body",
            "description",
            "title",
            "text",
            "comment",
            "content",
            "query",
            "stack",
            "trace",
            "url",
            "uri",
            "email",
            "address",
            "agent",
            "note",
            "notes",
            "path",
        ])
    }

    /// The number of a version, which may look like an IPv4 address.
    pub(super) fn is_version(&self) -> bool {
        self.has(&["version", "ver", "build", "release"])
    }

    /// An object that anybody puts keys into.
    pub(super) fn is_bag(&self) -> bool {
        self.ends(&[
            "attributes",
            "attrs",
            "properties",
            "props",
            "options",
            "labels",
            "tags",
            "metadata",
            "params",
            "headers",
            "extra",
            "custom",
            "annotations",
            "variables",
        ])
    }
}

/// Words of numbers that are no amount of money, whatever else their name says.
const NO_MONEY: &[&str] = &[
    "count", "cents", "minor", "number", "items", "ratio", "percent", "pct", "rate", "time", "seconds", "ms",
    "bytes", "weight", "size",
];
