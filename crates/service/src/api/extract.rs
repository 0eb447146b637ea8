//! What requests carry, with problem details where it is not as it should be.

use std::fmt;
use std::marker::PhantomData;
use std::ops::RangeInclusive;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::request::Parts;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use utoipa::IntoParams;

use super::Api;
use super::auth::Actor;
use super::problem::{Problem, ProblemCode};

/// Time for a body to come, in seconds: less than the call has as a whole, so that whoever is slow is told so.
const BODY_S_MAX: u64 = if cfg!(test) { 3 } else { 25 };

/// What is read of a JSON object alone: what serde makes of a structure takes an array of its values as well.
#[derive(Debug)]
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object<T>, D::Error> {
        struct Pairs<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Pairs<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, pairs: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(pairs))
            }
        }
        deserializer.deserialize_map(Pairs(PhantomData)).map(Object)
    }
}

/// A body of JSON: an object. Whoever sends it is judged once more when it is there: it may have been under way for as long as she likes.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequest<Api> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Body<T>, Problem> {
        let (mut parts, body) = request.into_parts();
        let actor = Actor::from_request_parts(&mut parts, api).await?;
        let read = Json::<Object<T>>::from_request(Request::from_parts(parts, body), api);
        let read = tokio::time::timeout(Duration::from_secs(BODY_S_MAX), read).await.map_err(|_| {
            let detail = format!(
                "it did not come to its end within {BODY_S_MAX} s, and nothing was done; send it again"
            );
            Problem::new(ProblemCode::BodyTooSlow, detail)
        })?;
        let Json(Object(value)) = read.map_err(|r: JsonRejection| Problem::from(r))?;
        actor.judge_again(api).await?;
        Ok(Body(value))
    }
}

/// The query of an address.
#[derive(Debug)]
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Params<T>, Problem> {
        // What reads a query takes any bytes for a text, and U+FFFD for what is none.
        if !parts.uri.query().is_none_or(is_text) {
            let detail = "what the query has as %XX is no UTF-8";
            return Err(Problem::new(ProblemCode::InvalidRequest, detail));
        }
        let Query(value) = Query::<T>::from_request_parts(parts, state)
            .await
            .map_err(|r: QueryRejection| Problem::from(r))?;
        Ok(Params(value))
    }
}

/// Whether what stands as `%XX` in a query is UTF-8, together with the rest.
fn is_text(query: &str) -> bool {
    let (mut bytes, mut rest) = (Vec::with_capacity(query.len()), query.as_bytes());
    while let Some((&byte, behind)) = rest.split_first() {
        let hex = |at: usize| behind.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (byte, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.extend(u8::try_from(high * 16 + low));
                rest = behind.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(byte);
                rest = behind;
            }
        }
    }
    std::str::from_utf8(&bytes).is_ok()
}

/// The names in a path.
#[derive(Debug)]
pub(crate) struct At<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for At<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<At<T>, Problem> {
        let Path(value) =
            Path::<T>::from_request_parts(parts, state).await.map_err(|r: PathRejection| Problem::from(r))?;
        Ok(At(value))
    }
}

/// The number at `key`, or `default` where there is none.
pub(crate) fn bounded(
    key: &str,
    number: Option<u32>,
    default: u32,
    range: RangeInclusive<u32>,
) -> Result<u32, Problem> {
    let number = number.unwrap_or(default);
    if range.contains(&number) {
        return Ok(number);
    }
    let detail = format!("`{key}` is from {} to {}", range.start(), range.end());
    Err(Problem::new(ProblemCode::InvalidRequest, detail))
}

/// The part of a name at `name_contains`, which has a letter at least, and `letters_max` at most.
pub(crate) fn part_of_name(part: Option<String>, letters_max: usize) -> Result<Option<String>, Problem> {
    match part {
        Some(part) if !(1..=letters_max).contains(&part.chars().count()) => {
            let detail = format!("`name_contains` has 1 to {letters_max} letters");
            Err(Problem::new(ProblemCode::InvalidRequest, detail))
        }
        part => Ok(part),
    }
}

/// Which pipe.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct PipePath {
    /// The pipe's id.
    pub(crate) id: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Wanted {
        a: Option<u8>,
    }

    #[test]
    fn a_query_is_text() {
        for query in ["", "after=a", "after=%C3%A4&x=%", "after=%zz", "after=ä", "%E2%82%AC"] {
            assert!(is_text(query), "{query}");
        }
        for query in ["after=%FF", "after=%c3", "%ff=1", "after=%C3%28", "after=%ED%A0%80"] {
            assert!(!is_text(query), "{query}");
        }
    }

    #[test]
    fn an_array_is_no_object() {
        let read = |text: &str| serde_json::from_str::<Object<Wanted>>(text).map(|Object(wanted)| wanted);
        assert_eq!(read("{\"a\": 7}").unwrap(), Wanted { a: Some(7) });
        assert_eq!(read("{}").unwrap(), Wanted::default());
        for text in ["[]", "[7]", "null", "7", "{\"b\": 1}"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
