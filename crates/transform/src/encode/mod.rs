//! The exact path: one strict walk from the record's bytes straight into the output.

mod containers;
mod cursor;
mod decimal;
mod dynamic;
mod enums;
mod fault;
mod json_column;
mod json_document;
mod json_path;
mod lines;
mod network;
mod number;
mod object;
mod paths;
mod skip;
mod string;
mod tail;
mod temporal;
mod unknown;
mod value;
mod variant;
mod wide;

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

pub(crate) use cursor::Cursor;
pub(crate) use fault::Fault;
pub use lines::{LineCounts, LineReject};
pub(crate) use number::json_number_end;
pub(crate) use object::not_an_object;
pub(crate) use skip::value as skip_value;
pub(crate) use string::{Raw, decode as decode_text, scan as scan_text};
pub(crate) use tail::Tails;
pub(crate) use temporal::{DateMemo, ZoneMemo};
pub use unknown::UnknownKeys;
pub(crate) use value::encode as encode_value;
pub(crate) use wide::Wide;

use crate::engine::Engine;
use crate::envelope::{Envelope, NoEnvelope};
use crate::fast::Fast;
use crate::kernels::LANES;
use crate::limits::Limits;
use crate::plan::{Op, Plan, Semantics};
use crate::reject::{Reject, RejectCode};
use crate::zone::TimeZone;

/// Encodes records by a plan, one after the other. It keeps buffers, so that the steady state allocates nothing.
///
/// # Memory
///
/// What an encoder keeps is bounded, whatever records it meets:
///
/// | what | bytes, at most |
/// |---|---|
/// | four lanes of the fast paths, each with the copy of a record of up to 256 KiB and its row | 4 MiB; 10 MiB where a column is an Array, a Map or a Tuple |
/// | four buffers of the exact path: values on their way into order, decoded texts, open brackets, paths of JSON columns | 1 MiB each |
/// | what was learned of keys: those of the columns, 1,024 others, and which follow which | 1 KiB a key |
/// | the keys of the record at hand, of which there are [`Limits::fields_max`](crate::Limits) at most | 100 bytes a key |
/// | virtual columns and constants of four records | 1 MiB |
/// | a row of defaults | as large as that row, [`Limits::row_bytes_max`](crate::Limits) |
/// | unknown keys | [`UNKNOWN_KEYS_MAX`](crate::UNKNOWN_KEYS_MAX) names of [`UNKNOWN_KEY_BYTES_MAX`](crate::UNKNOWN_KEY_BYTES_MAX) bytes |
///
/// So an encoder of a hundred columns keeps less than 16 MiB after the worst of records, and far less while they are small.
/// The plan is shared and counts once. One record may make it hold more for a moment: its row, of
/// [`Limits::row_bytes_max`](crate::Limits) bytes at most, a copy of it where the keys come in another order than the
/// columns, and what vectors ask for beyond that as they grow, which is as much again. That is given back before the next
/// record. `out` is the caller's, and grows by what is appended: [`Encoder::encode_lines_up_to`] and
/// [`Encoder::encode_each`] can be stopped.
pub struct Encoder {
    plan: Arc<Plan>,
    engine: Engine,
    fast: Option<Box<Fast>>,
    state: State,
    tails: Tails,
}

/// Where a value was written in the output: half-open, counted from the row's first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    start: usize,
    end: usize,
}

impl Span {
    /// Nothing was written.
    const NONE: Span = Span { start: usize::MAX, end: usize::MAX };
}

/// What the walk needs beside the record: limits, memos and buffers.
#[derive(Debug)]
pub(crate) struct State {
    /// ClickHouse's leniencies apply.
    lenient: bool,
    /// A member of a Variant is tried on the text: ClickHouse has other readers for that, which most often check that
    /// a number fits.
    in_variant: bool,
    /// How deep the outermost Dynamic stands that is being read.
    dynamic_from: Option<usize>,
    pub(crate) depth_max: usize,
    pub(crate) depth: usize,
    pub(crate) fields_left: usize,
    fields_max: usize,
    pub(crate) row_bytes_max: usize,
    /// Where the row starts in the output.
    row_start: usize,
    /// Where each field was written, then each element of the tuples that are open.
    spans: Vec<Span>,
    /// Values on their way into the right order.
    gather: Vec<u8>,
    /// Texts whose escapes were decoded.
    text: Vec<u8>,
    /// Brackets that a skipped value has open.
    brackets: Vec<u8>,
    pub(crate) zones: Vec<ZoneMemo>,
    paths: json_document::Paths,
    unknown: UnknownKeys,
}

/// A buffer that one odd record made larger than this is given back.
const KEPT_BUFFER_BYTES_MAX: usize = 1024 * 1024;

/// Plan and engine alone: the buffers hold what records held.
impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder")
            .field("plan", &self.plan)
            .field("engine", &self.engine)
            .finish_non_exhaustive()
    }
}

impl Encoder {
    /// An encoder for the plan, with the default engine.
    #[must_use]
    pub fn new(plan: Arc<Plan>) -> Encoder {
        Encoder::with_engine(plan, Engine::default())
    }

    /// An encoder for the plan that takes these paths. All engines give the same rows and the same rejects.
    #[must_use]
    pub fn with_engine(plan: Arc<Plan>, engine: Engine) -> Encoder {
        let mut state = State::new(&plan.options.limits);
        state.lenient = plan.options.semantics == Semantics::ClickHouse;
        state.spans.reserve(plan.fields.len());
        state.zones = plan.zones.iter().map(|zone| ZoneMemo::new(*zone)).collect();
        Encoder { fast: Fast::new(&plan, engine), plan, engine, state, tails: Tails::default() }
    }

    /// Appends the row of the record to `out`. Nothing is known of it beside its bytes, see [`NoEnvelope`].
    ///
    /// # Errors
    /// [`Reject`] with the reason and the place; `out` is then as it was.
    pub fn encode(&mut self, record: &[u8], out: &mut Vec<u8>) -> Result<(), Reject> {
        self.encode_with(record, &NoEnvelope, out)
    }

    /// Appends the row of the record to `out`, its virtual columns from the envelope.
    ///
    /// A plan with virtual columns and constants alone does not look for JSON: any bytes are a record, within
    /// [`Limits::record_bytes_max`](crate::Limits), and with [`strict_utf8`](crate::PlanOptions) any that are UTF-8.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use housepipe_transform::{Column, Columns, DataType, EachHeader, Encoder, Envelope, Plan, PlanOptions, Source, Virtual};
    ///
    /// struct Message;
    /// impl Envelope for Message {
    ///     fn topic(&self) -> &str { "clicks" }
    ///     fn partition(&self) -> i32 { 3 }
    ///     fn offset(&self) -> i64 { 7 }
    ///     fn timestamp_ms(&self) -> Option<i64> { None }
    ///     fn key(&self) -> Option<&[u8]> { None }
    ///     fn raw_message(&self) -> Option<&[u8]> { None }
    ///     fn each_header(&self, _: &mut EachHeader<'_>) {}
    /// }
    ///
    /// let offset = Column::new("at", DataType::UInt64).from_source(Source::Virtual(Virtual::Offset));
    /// let columns = Columns::new(vec![offset, Column::new("a", DataType::UInt8)]);
    /// let plan = Plan::compile(&columns, &PlanOptions::default())?;
    /// assert_eq!(plan.columns().to_string(), "a UInt8, at UInt64");
    /// let mut rows = Vec::new();
    /// Encoder::new(Arc::new(plan)).encode_with(br#"{"a":1}"#, &Message, &mut rows)?;
    /// assert_eq!(rows, [1, 7, 0, 0, 0, 0, 0, 0, 0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub fn encode_with(
        &mut self,
        record: &[u8],
        envelope: &impl Envelope,
        out: &mut Vec<u8>,
    ) -> Result<(), Reject> {
        let row_start = out.len();
        if !self.is_taken_fast(record, out) {
            let result = self.row(record, out);
            self.state.give_back();
            result.map_err(|fault| {
                out.truncate(row_start);
                fault.into_reject()
            })?;
        }
        if self.plan.tail.is_empty() {
            return Ok(());
        }
        let pushed = tail::push(&self.plan, envelope, out);
        let pushed = pushed.and_then(|()| self.plan.check_row(out.len() - row_start, record.len()));
        pushed.map_err(|fault| {
            out.truncate(row_start);
            fault.into_reject()
        })
    }

    /// Appends the rows of the records to `out`, in their order, and calls `on_reject` with the index of each record
    /// that has none. Returns how many rows were appended.
    ///
    /// This is the fast way for records that a broker hands out: several are encoded side by side.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use housepipe_transform::{Encoder, Plan, PlanOptions};
    ///
    /// let plan = Plan::compile(&"a UInt8".parse()?, &PlanOptions::default())?;
    /// let mut encoder = Encoder::new(Arc::new(plan));
    /// let (mut rows, mut rejected) = (Vec::new(), Vec::new());
    /// let records: [&[u8]; 3] = [br#"{"a":1}"#, br#"{"a":"x"}"#, br#"{"a":3}"#];
    /// let count = encoder.encode_batch(&records, &mut rows, |index, reject| rejected.push((index, reject.code.as_str())));
    /// assert_eq!((count, rows), (2, vec![1, 3]));
    /// assert_eq!(rejected, [(1, "invalid_number")]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn encode_batch(
        &mut self,
        records: &[&[u8]],
        out: &mut Vec<u8>,
        mut on_reject: impl FnMut(usize, Reject),
    ) -> usize {
        let mut rows = 0;
        self.encode_each(records, out, |index, row| {
            match row {
                Ok(_) => rows += 1,
                Err(reject) => on_reject(index, reject),
            }
            ControlFlow::Continue(())
        });
        rows
    }

    /// Appends the rows of the records to `out`, in their order, and calls `each` for every record in turn, with its
    /// index and where its row ends in `out`, or why it has none. Returns how many records `each` was called for: all
    /// of them, unless it breaks.
    ///
    /// A short record can make a row of up to [`Limits::row_bytes_max`](crate::Limits), so who reads from strangers
    /// breaks once `out` is large enough. Behind a break `out` ends with the row of that record, or with the one before;
    /// keys of up to three records behind it may stand among the unknown ones already.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use std::sync::Arc;
    /// use housepipe_transform::{Encoder, Plan, PlanOptions};
    ///
    /// let plan = Plan::compile(&"a String".parse()?, &PlanOptions::default())?;
    /// let mut encoder = Encoder::new(Arc::new(plan));
    /// let (mut rows, mut ends) = (Vec::new(), Vec::new());
    /// let records: [&[u8]; 2] = [br#"{"a":"one"}"#, br#"{"a":"three"}"#];
    /// let count = encoder.encode_each(&records, &mut rows, |_, row| {
    ///     ends.extend(row);
    ///     ControlFlow::Continue(())
    /// });
    /// assert_eq!((count, ends), (2, vec![4, 10]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn encode_each(
        &mut self,
        records: &[&[u8]],
        out: &mut Vec<u8>,
        each: impl FnMut(usize, Result<usize, Reject>) -> ControlFlow<()>,
    ) -> usize {
        self.encode_each_with(records, |_| NoEnvelope, out, each)
    }

    /// The same, with the virtual columns from the envelope that `envelope` has for the record of an index.
    pub fn encode_each_with<E: Envelope>(
        &mut self,
        records: &[&[u8]],
        envelope: impl Fn(usize) -> E,
        out: &mut Vec<u8>,
        mut each: impl FnMut(usize, Result<usize, Reject>) -> ControlFlow<()>,
    ) -> usize {
        let mut index = 0;
        while let Some(left) = records.get(index..).filter(|left| !left.is_empty()) {
            if let Some(ends) = self.fast_group(left, |lane| envelope(index + lane), out) {
                for end in ends {
                    index += 1;
                    if each(index - 1, Ok(end)).is_break() {
                        out.truncate(end);
                        return index;
                    }
                }
                continue;
            }
            for record in left.iter().take(LANES) {
                index += 1;
                let row = self.encode_with(record, &envelope(index - 1), out);
                if each(index - 1, row.map(|()| out.len())).is_break() {
                    return index;
                }
            }
        }
        index
    }

    /// Appends the rows of the first records of the list where they have the shape of the topic; their ends.
    fn fast_group<E: Envelope>(
        &mut self,
        records: &[&[u8]],
        envelope: impl Fn(usize) -> E,
        out: &mut Vec<u8>,
    ) -> Option<[usize; LANES]> {
        let Encoder { plan, fast: Some(fast), state, tails, .. } = self else { return None };
        let group = records.first_chunk::<LANES>()?;
        let ways = fast.ways(plan, group)?;
        if plan.tail.is_empty() {
            return fast.group(ways, plan, state, group, tails, out);
        }
        let is_filled = tails.fill(plan, &std::array::from_fn(envelope));
        let ends = if is_filled { fast.group(ways, plan, state, group, tails, out) } else { None };
        tails.clear();
        tails.give_back(KEPT_BUFFER_BYTES_MAX);
        ends
    }

    /// Whether a fast path knew the row of the record, and it was appended.
    fn is_taken_fast(&mut self, record: &[u8], out: &mut Vec<u8>) -> bool {
        let Encoder { plan, fast: Some(fast), state, .. } = self else { return false };
        fast.record(plan, state, record, out)
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// The engine.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// The keys that no column takes, with how often records had them: accepted ones, and rejected ones up to the fault.
    #[must_use]
    pub fn unknown_keys(&self) -> &UnknownKeys {
        &self.state.unknown
    }

    /// Counts the keys that no column takes anew, from nothing.
    pub fn clear_unknown_keys(&mut self) {
        self.state.unknown.clear();
    }

    fn row(&mut self, record: &[u8], out: &mut Vec<u8>) -> Result<(), Fault> {
        let Encoder { plan, state, .. } = self;
        let record_bytes_max = plan.options.limits.record_bytes_max;
        if record.len() > record_bytes_max {
            let message = "the record is larger than the limit";
            return Err(Fault::new(RejectCode::RecordTooLarge, record_bytes_max, message));
        }
        if plan.options.strict_utf8
            && let Err(error) = std::str::from_utf8(record)
        {
            return Err(Fault::new(RejectCode::InvalidUtf8, error.valid_up_to(), "the record is not UTF-8"));
        }
        if plan.fields.is_empty() {
            return Ok(());
        }
        state.begin(out.len());
        object::row(plan, &mut Cursor::new(record), state, out)
    }
}

/// The value of a constant: its text as a JSON string, or where the type does not take that, as it stands. In words why
/// neither is taken. It is read strictly whatever the semantics of records: nothing wraps around, and nothing is a default.
pub(crate) fn constant(text: &str, op: &Op, zones: &[TimeZone], limits: &Limits) -> Result<Vec<u8>, String> {
    if text.is_empty() && !op.takes_empty_text() {
        return Err("an empty text is no value of it".to_owned());
    }
    let mut state = State::new(limits);
    state.zones = zones.iter().map(|zone| ZoneMemo::new(*zone)).collect();
    let mut encode = |json: &str| {
        let (mut cursor, mut out) = (Cursor::new(json.as_bytes()), Vec::new());
        state.begin(0);
        match encode_value(op, &mut cursor, &mut state, &mut out) {
            Ok(()) if cursor.is_at_end() => Ok(out),
            Ok(()) => Err("something follows the value".to_owned()),
            Err(fault) => Err(fault.into_reject().message),
        }
    };
    let as_text = encode(&json_text(text));
    as_text.or_else(|as_text| match text.trim() {
        "null" if !matches!(op, Op::Nullable(_)) => Err("null is no value of it".to_owned()),
        json => encode(json).map_err(|as_json| if as_json == as_text { as_text } else { as_json }),
    })
}

/// The text as a JSON string.
fn json_text(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            control if control < ' ' => json.push_str(&format!("\\u{:04x}", u32::from(control))),
            character => json.push(character),
        }
    }
    json.push('"');
    json
}

impl Plan {
    /// Refuses a row of more bytes than the limit, as it stands behind a record of so many bytes.
    fn check_row(&self, row_bytes: usize, record_bytes: usize) -> Result<(), Fault> {
        if row_bytes > self.options.limits.row_bytes_max {
            let message = "the row would be larger than the limit";
            return Err(Fault::new(RejectCode::RecordTooLarge, record_bytes, message));
        }
        Ok(())
    }
}

impl State {
    /// The state for records that are read strictly, within the limits. It knows no zone yet.
    pub(crate) fn new(limits: &Limits) -> State {
        State {
            lenient: false,
            in_variant: false,
            dynamic_from: None,
            depth_max: limits.depth_max,
            depth: 0,
            fields_left: 0,
            fields_max: limits.fields_max,
            row_bytes_max: limits.row_bytes_max,
            row_start: 0,
            spans: Vec::new(),
            gather: Vec::new(),
            text: Vec::new(),
            brackets: Vec::new(),
            zones: Vec::new(),
            paths: json_document::Paths::default(),
            unknown: UnknownKeys::new(limits.unknown_keys_max),
        }
    }

    /// Prepares for a record whose row starts here.
    pub(crate) fn begin(&mut self, row_start: usize) {
        self.depth = 0;
        self.dynamic_from = None;
        self.fields_left = self.fields_max;
        self.row_start = row_start;
        self.spans.clear();
    }

    /// Lowers the limit on the row; returns the one before.
    pub(crate) fn limit_row(&mut self, bytes_max: usize) -> usize {
        let lower = self.row_bytes_max.min(bytes_max);
        std::mem::replace(&mut self.row_bytes_max, lower)
    }

    /// Counts a key that no column takes.
    pub(crate) fn count_unknown(&mut self, key: &[u8]) {
        self.unknown.count(key);
    }

    /// Gives back buffers that one odd record made large.
    pub(crate) fn give_back(&mut self) {
        for buffer in [&mut self.gather, &mut self.text, &mut self.brackets] {
            if buffer.capacity() > KEPT_BUFFER_BYTES_MAX {
                *buffer = Vec::new();
            }
        }
        self.paths.give_back(KEPT_BUFFER_BYTES_MAX);
    }

    /// Enters an array or an object.
    fn enter(&mut self, at: usize) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth > self.depth_max {
            return Err(Fault::new(
                RejectCode::TooDeep,
                at,
                "arrays and objects are nested deeper than the limit",
            ));
        }
        Ok(())
    }

    /// Counts a key against the limit.
    pub(crate) fn count_field(&mut self, at: usize) -> Result<(), Fault> {
        match self.fields_left.checked_sub(1) {
            Some(left) => {
                self.fields_left = left;
                Ok(())
            }
            None => Err(Fault::new(RejectCode::TooManyFields, at, "the record has more keys than the limit")),
        }
    }

    /// Refuses a row that has grown beyond the limit.
    fn check_row_bytes(&self, at: usize, out: &[u8]) -> Result<(), Fault> {
        if out.len() - self.row_start > self.row_bytes_max {
            return Err(Fault::new(RejectCode::RecordTooLarge, at, "the row would be larger than the limit"));
        }
        Ok(())
    }
}
