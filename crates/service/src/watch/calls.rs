//! Calls of the API, counted by what was called and how it ended.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use housepipe_runtime::metrics::{Exposition, Family, Histogram, Scale};

/// Time of a call, in microseconds.
static CALL_US: Scale = Scale {
    bounds: &[
        1_000, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000, 30_000_000,
    ],
    per_unit: 1_000_000,
};

static CALLS: Family = Family::counter(
    "housepipe_api_requests_total",
    &["route", "method", "status"],
    "Calls of the API by their route as the description names it (other for paths that it does not have), method, and class of the status, \
     such as 2xx.",
);

static TIMES: Family = Family::histogram(
    "housepipe_api_request_duration_seconds",
    &["route", "method"],
    "Time from a call to the head of its answer. A stream of events goes on behind it.",
);

/// What is called otherwise than the API has it.
const OTHER: &str = "other";

/// Calls so far.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    /// By route and method. The router knows a few dozen routes, and methods are few.
    by_route: Mutex<BTreeMap<(String, &'static str), Counted>>,
}

#[derive(Debug)]
struct Counted {
    by_class: BTreeMap<&'static str, u64>,
    times: Histogram,
}

impl Calls {
    /// A call was answered. `route` is the one that the router has found.
    pub(crate) fn answered(&self, route: Option<&str>, method: &Method, status: StatusCode, took: Duration) {
        let mut calls = self.by_route.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (route.unwrap_or(OTHER).to_owned(), method_name(method));
        let new = || Counted { by_class: BTreeMap::new(), times: Histogram::new(&CALL_US) };
        let counted = calls.entry(key).or_insert_with(new);
        *counted.by_class.entry(class(status)).or_default() += 1;
        counted.times.observe(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), 1);
    }

    pub(super) fn write(&self, exposition: &mut Exposition) {
        let calls = self.by_route.lock().unwrap_or_else(PoisonError::into_inner);
        exposition.family(&CALLS, |samples| {
            for ((route, method), counted) in calls.iter() {
                for (class, count) in &counted.by_class {
                    samples.value(&[route, method, class], *count);
                }
            }
        });
        exposition.family(&TIMES, |samples| {
            for ((route, method), counted) in calls.iter() {
                samples.histogram(&[route, method], &counted.times);
            }
        });
    }
}

pub(super) fn families() -> impl Iterator<Item = &'static Family> {
    [&CALLS, &TIMES].into_iter()
}

/// Anybody may send any word as a method.
fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => OTHER,
    }
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        500..=599 => "5xx",
        _ => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use housepipe_runtime::metrics::Format;

    use super::*;

    #[test]
    fn calls_are_told_apart_by_route_method_and_class() {
        let calls = Calls::default();
        let took = Duration::from_millis(3);
        calls.answered(Some("/api/v1/pipes/{id}"), &Method::GET, StatusCode::OK, took);
        calls.answered(Some("/api/v1/pipes/{id}"), &Method::GET, StatusCode::NOT_MODIFIED, took);
        calls.answered(Some("/api/v1/pipes/{id}"), &Method::GET, StatusCode::NOT_FOUND, took);
        for word in ["BREW", "WHEN"] {
            calls.answered(None, &word.parse().unwrap(), StatusCode::NOT_FOUND, took);
        }
        let mut exposition = Exposition::new(Format::Text);
        calls.write(&mut exposition);
        let text = exposition.finish();
        for line in [
            "housepipe_api_requests_total{route=\"/api/v1/pipes/{id}\",method=\"GET\",status=\"2xx\"} 1",
            "housepipe_api_requests_total{route=\"/api/v1/pipes/{id}\",method=\"GET\",status=\"3xx\"} 1",
            "housepipe_api_requests_total{route=\"/api/v1/pipes/{id}\",method=\"GET\",status=\"4xx\"} 1",
            "housepipe_api_requests_total{route=\"other\",method=\"other\",status=\"4xx\"} 2",
            "housepipe_api_request_duration_seconds_bucket{route=\"other\",method=\"other\",le=\"0.001\"} 0",
            "housepipe_api_request_duration_seconds_bucket{route=\"other\",method=\"other\",le=\"0.005\"} 2",
            "housepipe_api_request_duration_seconds_count{route=\"/api/v1/pipes/{id}\",method=\"GET\"} 3",
        ] {
            assert!(text.lines().any(|written| written == line), "{line} in {text}");
        }
    }
}
