//! The error table of a pipe: what could not be loaded, and loading it once it is mended.

use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use housepipe_runtime::{
    ErrorList, ErrorPlace, ErrorQuery, ErrorSummary, ListedError, ReplayOptions, ReplayReport, RowKind,
    list_errors, parse_moment, replay_errors, summarize_errors,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::Api;
use super::audit::MayHaveActed;
use super::auth::Operator;
use super::extract::{At, Body, Params, PipePath, bounded};
use super::problem::{Problem, ProblemCode};
use super::replayed::Replaying;
use super::work::{Waits, answer, begin};
use crate::service::Subject;
use crate::store::{StoreError, Wanted};
use crate::work::WorkKind;

/// Errors of one page unless the query says otherwise, and at most.
const PAGE: u32 = 50;
const PAGE_MAX: u32 = 200;
/// Groups unless the query says otherwise, and at most.
const GROUPS: u32 = 50;
const GROUPS_MAX: u32 = 1_000;

/// The latest time of a row that a place may name, in milliseconds since 1970: the end of ClickHouse's DateTime64, in the year 2299.
const TIME_MS_MAX: i64 = 10_413_791_999_999;

/// Bytes of a record's value that are shown, at most (16 KiB).
const RAW_BYTES_MAX: u32 = 16 << 10;

/// Codes or columns that a replay names, at most.
const NAMES_MAX: usize = 100;
/// Letters of an expression, at most.
const CONDITION_LETTERS_MAX: usize = 4_096;

/// Records that a replay may be limited to, at most: whole numbers are exact up to here in every reader of JSON.
const REPLAYED_MAX: u64 = 1 << 53;

/// What kind of row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A record that could not be loaded.
    Record,
    /// Something that has happened to the pipe.
    System,
}

/// Which errors.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// What kind of rows; without it both.
    #[param(inline)]
    kind: Option<Kind>,
    /// Those of this code.
    code: Option<String>,
    /// Those at this column.
    column: Option<String>,
    /// Those from this time on: RFC 3339, or how long ago, such as 30m, 2h or 7d.
    since: Option<String>,
    /// Those before this time, written in the same way.
    until: Option<String>,
    /// Those for which this expression over the columns of the error table is true.
    #[serde(rename = "where")]
    #[param(rename = "where", max_length = 4096)]
    condition: Option<String>,
    /// Also records that a replay has loaded.
    #[serde(default)]
    #[param(default = false)]
    with_replayed: bool,
    /// Errors, or groups, at most.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// What the page before has as `next`.
    after: Option<String>,
}

/// A page of errors.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorPage {
    /// The pipe's name.
    pipe: String,
    /// The error table.
    error_table: String,
    /// The rows, newest first. A value that is cut is shorter than its `raw_length`.
    errors: Vec<ListedError>,
    /// The value of `after` for the next page; absent on the last.
    next: Option<String>,
}

/// Lists the errors of a pipe, newest first. They hold what was in records, and so they are an operator's to see.
#[utoipa::path(
    get, path = "/api/v1/pipes/{id}/errors", tag = "errors", operation_id = "list_errors", params(PipePath, ListQuery),
    responses((status = 200, body = ErrorPage), Waits, super::docs::Failures)
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Operator(actor): Operator,
    At(path): At<PipePath>,
    Params(wanted): Params<ListQuery>,
) -> Result<Response, Problem> {
    let limit = bounded("limit", wanted.limit, PAGE, 1..=PAGE_MAX)?;
    let after = wanted.after.as_deref().map(parse_place).transpose()?;
    let mut query = query(wanted)?;
    query.from = after;
    let (stored, file) = api.service.whole(&path.id).await?;
    let subject = Subject::stored(&stored);
    let begun = begin(&api, &actor, (WorkKind::ListErrors, subject), "the error table", |_| async move {
        // One more shows whether there is another page.
        let listed = list_errors(&file, &query, limit + 1, RAW_BYTES_MAX).await?;
        Ok(page(listed, limit, after))
    })?;
    answer(begun).await
}

/// Which errors are counted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SummaryQuery {
    /// What kind of rows; without it both.
    #[param(inline)]
    kind: Option<Kind>,
    /// Those of this code.
    code: Option<String>,
    /// Those at this column.
    column: Option<String>,
    /// Those from this time on: RFC 3339, or how long ago, such as 30m, 2h or 7d.
    since: Option<String>,
    /// Those before this time, written in the same way.
    until: Option<String>,
    /// Those for which this expression over the columns of the error table is true.
    #[serde(rename = "where")]
    #[param(rename = "where", max_length = 4096)]
    condition: Option<String>,
    /// Also records that a replay has loaded.
    #[serde(default)]
    #[param(default = false)]
    with_replayed: bool,
    /// Groups, at most.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
}

/// Counts the errors of a pipe by code, column and the shape of their message, the most frequent first, each group with an example.
#[utoipa::path(
    get, path = "/api/v1/pipes/{id}/errors/summary", tag = "errors", operation_id = "summarize_errors", params(PipePath, SummaryQuery),
    responses((status = 200, body = ErrorSummary), Waits, super::docs::Failures)
)]
pub(crate) async fn summary(
    State(api): State<Api>,
    Operator(actor): Operator,
    At(path): At<PipePath>,
    Params(wanted): Params<SummaryQuery>,
) -> Result<Response, Problem> {
    let SummaryQuery { kind, code, column, since, until, condition, with_replayed, limit } = wanted;
    let limit = bounded("limit", limit, GROUPS, 1..=GROUPS_MAX)?;
    let wanted =
        ListQuery { kind, code, column, since, until, condition, with_replayed, limit: None, after: None };
    let query = query(wanted)?;
    let (stored, file) = api.service.whole(&path.id).await?;
    let subject = Subject::stored(&stored);
    let begun = begin(&api, &actor, (WorkKind::ListErrors, subject), "the error table", |_| async move {
        Ok(summarize_errors(&file, &query, limit).await?)
    })?;
    answer(begun).await
}

/// What is replayed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = ReplayWanted, example = json!({ "codes": ["invalid_number"], "columns": ["price"], "since": "2h", "dry_run": true }))]
pub(crate) struct Replay {
    /// Records of these codes; without any, of all.
    #[schema(max_items = 100)]
    codes: Vec<String>,
    /// Records at these columns; without any, at all.
    #[schema(max_items = 100)]
    columns: Vec<String>,
    /// Those from this time on: RFC 3339, or how long ago, such as 30m, 2h or 7d.
    since: Option<String>,
    /// Those before this time, written in the same way.
    until: Option<String>,
    /// Those for which this expression over the columns of the error table is true.
    #[serde(rename = "where")]
    #[schema(rename = "where", max_length = 4096)]
    condition: Option<String>,
    /// Records to load, at most.
    #[schema(minimum = 1, maximum = 9007199254740992_i64)]
    limit: Option<u64>,
    /// Whether it only says what would be loaded.
    #[schema(default = false)]
    dry_run: bool,
}

/// Loads records of the error table that the pipe's columns accept by now, each once, also where it is cancelled and begun again. What is still
/// refused stays where it is. Events tell who has begun it, and what has come of it, also where it was cancelled; not where the process ended before.
#[utoipa::path(
    post, path = "/api/v1/pipes/{id}/errors/replay", tag = "errors", operation_id = "replay_errors", params(PipePath),
    request_body = Replay,
    responses((status = 200, body = ReplayReport), Waits, super::docs::Failures)
)]
pub(crate) async fn replay(
    State(api): State<Api>,
    Operator(actor): Operator,
    At(path): At<PipePath>,
    Body(wanted): Body<Replay>,
) -> Result<Response, Problem> {
    if wanted.limit.is_some_and(|limit| !(1..=REPLAYED_MAX).contains(&limit)) {
        return Err(malformed("limit", &format!("is from 1 to {REPLAYED_MAX}")));
    }
    if wanted.codes.len() > NAMES_MAX || wanted.columns.len() > NAMES_MAX {
        return Err(malformed("codes` and `columns", &format!("have up to {NAMES_MAX} each")));
    }
    let query = ErrorQuery {
        codes: wanted.codes,
        columns: wanted.columns,
        since_ms: moment("since", wanted.since)?,
        until_ms: moment("until", wanted.until)?,
        condition: condition(wanted.condition)?,
        ..ErrorQuery::default()
    };
    let is_dry = wanted.dry_run;
    let options = ReplayOptions { query, limit: wanted.limit, dry_run: is_dry };
    let (stored, file) = api.service.whole(&path.id).await?;
    if stored.wanted == Wanted::Removed {
        return Err(StoreError::Leaving.into());
    }
    let subject = Subject::stored(&stored);
    let (service, name) = (api.service.clone(), actor.name().to_owned());
    let forgotten = actor.forgotten(&api);
    let begun =
        begin(&api, &actor, (WorkKind::ReplayErrors, subject), "the error table", |progress| async move {
            let told = match options.dry_run {
                true => None,
                false => {
                    Some(Replaying::begin(service, name, (stored.id, stored.name), progress.id()).await?)
                }
            };
            progress.waits_for("records of the error table, encoded once more and loaded");
            let replay = replay_errors(&file, &options, |report| {
                progress.done(report.examined, None);
                if let Some(told) = &told {
                    told.has_examined(report.examined);
                }
            });
            let replayed = tokio::select! {
                replayed = replay => replayed,
                () = forgotten => {
                    // As where it is cancelled: what it has loaded is loaded.
                    let detail = "the token that began it was forgotten meanwhile";
                    return Err(Problem::new(ProblemCode::Unauthenticated, detail));
                }
            };
            if let Some(told) = told {
                let words = match &replayed {
                    Ok(report) => words(report),
                    Err(error) => crate::service::explain(error),
                };
                told.end(words).await;
            }
            Ok(replayed?)
        })?;
    let mut response = answer(begun).await.into_response();
    if !is_dry {
        // Also one that is held may have loaded records before.
        response.extensions_mut().insert(MayHaveActed);
    }
    Ok(response)
}

/// What a replay has come to, for the event.
fn words(report: &ReplayReport) -> String {
    let unkept = report.not_replayable.cut + report.not_replayable.without_value;
    format!(
        "{} loaded, {} still refused, {unkept} not replayable, {} finished of replays that were cut off",
        report.loaded, report.refused, report.finished
    )
}

fn query(wanted: ListQuery) -> Result<ErrorQuery, Problem> {
    let kind = wanted.kind.map(|kind| match kind {
        Kind::Record => RowKind::Record,
        Kind::System => RowKind::System,
    });
    Ok(ErrorQuery {
        kinds: kind.into_iter().collect(),
        codes: wanted.code.into_iter().collect(),
        columns: wanted.column.into_iter().collect(),
        since_ms: moment("since", wanted.since)?,
        until_ms: moment("until", wanted.until)?,
        condition: condition(wanted.condition)?,
        with_replayed: wanted.with_replayed,
        from: None,
    })
}

fn page(listed: ErrorList, limit: u32, after: Option<ErrorPlace>) -> ErrorPage {
    let ErrorList { pipe, error_table, mut errors } = listed;
    let size = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = errors.len() > size;
    errors.truncate(size);
    let next = if has_more { behind(&errors, after).map(place_text) } else { None };
    ErrorPage { pipe, error_table, errors, next }
}

/// The place behind these errors, which begin at `after`.
fn behind(errors: &[ListedError], after: Option<ErrorPlace>) -> Option<ErrorPlace> {
    // Rows have milliseconds, as the text of their time.
    let key = |error: &ListedError| Some((parse_moment(&error.time, 0).ok()?, error.partition, error.offset));
    let last = key(errors.last()?)?;
    let alike = errors.iter().rev().take_while(|error| key(error) == Some(last)).count();
    let before =
        after.filter(|place| alike == errors.len() && (place.time_ms, place.partition, place.offset) == last);
    let skip = u32::try_from(alike).unwrap_or(u32::MAX).saturating_add(before.map_or(0, |place| place.skip));
    let (time_ms, partition, offset) = last;
    Some(ErrorPlace { time_ms, partition, offset, skip })
}

fn place_text(ErrorPlace { time_ms, partition, offset, skip }: ErrorPlace) -> String {
    format!("{time_ms}.{partition}.{offset}.{skip}")
}

/// Where a page of errors begins.
fn parse_place(text: &str) -> Result<ErrorPlace, Problem> {
    fn number<T: FromStr + ToString>(text: &str) -> Option<T> {
        // As it is written here, and in no other way.
        text.parse().ok().filter(|number: &T| number.to_string() == text)
    }
    let parts: Vec<&str> = text.split('.').collect();
    let place = match parts[..] {
        [time_ms, partition, offset, skip] => (|| {
            let (time_ms, partition) = (number(time_ms)?, number(partition)?);
            Some(ErrorPlace { time_ms, partition, offset: number(offset)?, skip: number(skip)? })
        })(),
        _ => None,
    };
    place
        .filter(|place| {
            (0..=TIME_MS_MAX).contains(&place.time_ms) && place.partition >= -1 && place.offset >= -1
        })
        .ok_or_else(|| malformed("after", "is what the page before has as `next`"))
}

fn malformed(key: &str, what: &str) -> Problem {
    Problem::new(ProblemCode::InvalidRequest, format!("`{key}` {what}"))
}

fn moment(key: &str, text: Option<String>) -> Result<Option<i64>, Problem> {
    // A clock before 1970 is as good as one at 1970.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now_ms = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
    let parse = |text: String| {
        parse_moment(&text, now_ms).map_err(|why| malformed(key, &format!("is no time: {why}")))
    };
    text.map(parse).transpose()
}

fn condition(text: Option<String>) -> Result<Option<String>, Problem> {
    match text {
        Some(text) if text.chars().count() > CONDITION_LETTERS_MAX => {
            Err(malformed("where", &format!("has up to {CONDITION_LETTERS_MAX} letters")))
        }
        text => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(time: &str, partition: i32, offset: i64) -> ListedError {
        serde_json::from_value(serde_json::json!({
            "time": time, "kind": "record", "code": "c", "column": "", "message": "m", "topic": "t", "partition": partition,
            "offset": offset, "timestamp": null, "key": null, "raw_message": "", "raw_length": 0, "headers": [],
            "schema_id": null, "batch_token": "", "replayed": false
        }))
        .unwrap()
    }

    #[test]
    fn a_page_goes_on_behind_the_one_before() {
        let (late, early) = ("2026-01-01T00:00:00.001Z", "2026-01-01T00:00:00.000Z");
        let errors = [error(late, 0, 7), error(early, 1, 5), error(early, 1, 5)];
        let place = behind(&errors, None).unwrap();
        assert_eq!(place_text(place), "1767225600000.1.5.2");
        assert_eq!(
            behind(&errors[2..], Some(place)).unwrap(),
            ErrorPlace { skip: 3, ..place },
            "all of them alike"
        );
        assert_eq!(behind(&errors[..2], Some(place)).unwrap(), ErrorPlace { skip: 1, ..place });
        assert_eq!(behind(&[], Some(place)), None);
    }

    #[test]
    fn a_place_is_read_as_it_was_written() {
        let place = ErrorPlace { time_ms: 1_767_225_600_001, partition: -1, offset: -1, skip: 3 };
        assert_eq!(parse_place(&place_text(place)).unwrap(), place);
        for text in [
            "",
            "1",
            ".",
            "1.0.0",
            "1.0.0.",
            "1.0.0.-1",
            "-1.0.0.0",
            "1.-2.0.0",
            "1.0.-2.0",
            "+1.0.0.0",
            "1.0.0.0.0",
            "1.00.0.0",
            "1.0.0.99999999999",
            "99999999999999999.0.0.0",
        ] {
            assert!(parse_place(text).is_err(), "{text}");
        }
    }
}
