//! What samples become, as tables.

mod expected;
mod keys;

use std::fmt::Write as _;

use expect_test::{Expect, expect};

use super::{Inference, InferenceLimits, InferenceOptions, Inferred};

/// Samples are numbered from 0 on; those that are refused are shown.
fn infer(inference: &mut Inference, samples: &[&str]) -> Inferred {
    for (number, sample) in (0..).zip(samples) {
        let _ = inference.add(sample.as_bytes(), number);
    }
    inference.finish(&InferenceOptions::default())
}

fn columns(inferred: &Inferred) -> String {
    let mut text = String::new();
    for column in &inferred.columns {
        let decided_by = column.decided_by.map_or_else(|| "-".to_owned(), |origin| origin.to_string());
        let (confidence, reason) = (column.confidence, &column.reason);
        writeln!(
            text,
            "{} {} | {confidence:.2}, sample {decided_by}: {reason}",
            column.column.name, column.column.ty
        )
        .unwrap();
        for note in &column.notes {
            writeln!(text, "  note: {note}").unwrap();
        }
    }
    for key in &inferred.left_out {
        writeln!(text, "left out: {:?}: {}", key.key, key.reason).unwrap();
    }
    if let Some(refused) = &inferred.first_refused {
        writeln!(text, "refused: {}, first sample {}: {}", inferred.refused, refused.origin, refused.reject)
            .unwrap();
    }
    text
}

fn check(samples: &[&str], expected: &Expect) {
    expected.assert_eq(&columns(&infer(&mut Inference::new(), samples)));
}

/// The same for one key `a` with these values.
fn check_values(values: &[&str], expected: &Expect) {
    let samples: Vec<String> = values.iter().map(|value| format!("{{\"a\":{value}}}")).collect();
    check(&samples.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

/// The same for keys and values of one sample.
fn check_names(pairs: &[(&str, &str)], expected: &Expect) {
    let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
    check(&[&format!("{{{}}}", pairs.join(","))], expected);
}

#[test]
fn whole_numbers() {
    check_values(
        &["1", "300"],
        &expect![[r#"
        a UInt64 | 0.75, sample 0: 2 whole numbers, none below zero
    "#]],
    );
    check_values(
        &["1", "-0"],
        &expect![[r#"
            a Int64 | 0.75, sample 1: 2 whole numbers, some with a minus
        "#]],
    );
    check_values(
        &["-5", "9223372036854775808"],
        &expect![[r#"
            a Int128 | 0.75, sample 1: 2 whole numbers, some with a minus, some beyond 64 bits
        "#]],
    );
    check_values(
        &["1", "18446744073709551616"],
        &expect![[r#"
        a UInt128 | 0.75, sample 1: 2 whole numbers, none below zero, some beyond 64 bits
    "#]],
    );
    check_values(
        &["340282366920938463463374607431768211456"],
        &expect![[r#"
        a UInt256 | 0.67, sample 0: 1 whole number, some beyond 128 bits
    "#]],
    );
    check_values(
        &["-1", "340282366920938463463374607431768211456"],
        &expect![[r#"
        a Int256 | 0.75, sample 1: 2 whole numbers, some beyond 128 bits
    "#]],
    );
    let beyond = "115792089237316195423570985008687907853269984665640564039457584007913129639936";
    check_values(
        &["1", beyond],
        &expect![[r#"
        a String | 0.25, sample 1: 2 whole numbers, some beyond 256 bits: kept as text
    "#]],
    );
}

/// The type that is proposed for the first column.
fn first_type(samples: &[&str]) -> String {
    infer(&mut Inference::new(), samples).columns[0].column.ty.to_string()
}

#[test]
fn labels_are_whole_whatever_they_are_of() {
    for name in
        ["price_id", "tax_id", "feeCode", "pressure_sensor_id", "temp_user_id", "pct_id", "tax_number"]
    {
        let sample = format!("{{\"{name}\":42}}");
        assert_eq!(first_type(&[&sample]), "UInt64", "{name}");
    }
    assert_eq!(first_type(&[r#"{"tax":42}"#]), "Decimal(18, 4)");
    assert_eq!(first_type(&[r#"{"temp":42}"#]), "Float64");
}

#[test]
fn whole_numbers_that_no_float_holds_are_text_beside_fractions() {
    for (samples, ty) in [
        ([r#"{"a":9007199254740993}"#, r#"{"a":0.5}"#], "String"),
        ([r#"{"a":0.5}"#, r#"{"a":-9007199254740993}"#], "String"),
        ([r#"{"a":9007199254740992}"#, r#"{"a":0.5}"#], "Float64"),
        ([r#"{"a":[9007199254740993]}"#, r#"{"a":[0.5]}"#], "Array(String)"),
    ] {
        assert_eq!(first_type(&samples), ty, "{samples:?}");
    }
}

#[test]
fn names_bound_numbers() {
    check_names(
        &[
            ("status_code", "404"),
            ("exitCode", "3"),
            ("port", "8080"),
            ("battery_pct", "80"),
            ("rssi", "-70"),
            ("quantity", "2"),
            ("is_new", "1"),
            ("is_many", "2"),
            ("delta", "4"),
            ("year", "2024"),
            ("temperature", "-3"),
            ("price", "5"),
        ],
        &expect![[r#"
            status_code UInt16 | 0.67, sample 0: 1 whole number, always 404: the name says that they stay small
            exitCode UInt64 | 0.67, sample 0: 1 whole number, none below zero
            port UInt16 | 0.67, sample 0: 1 whole number, always 8080: the name says that they stay small
            battery_pct UInt8 | 0.67, sample 0: 1 whole number, always 80: the name says that they stay small
            rssi Int16 | 0.67, sample 0: 1 whole number, always -70: the name says that they stay small
            quantity UInt32 | 0.67, sample 0: 1 whole number, always 2: the name says that they stay small
            is_new Bool | 0.67, sample 0: 1 time 0 or 1, under the name of a yes or no
            is_many UInt64 | 0.67, sample 0: 1 whole number, none below zero
            delta Int64 | 0.67, sample 0: 1 whole number, none below zero, under a name that allows it
            year UInt16 | 0.67, sample 0: 1 whole number, always 2024: the name says that they stay small
            temperature Float64 | 0.67, sample 0: 1 whole number, under the name of what has a fraction one day
            price Decimal(18, 4) | 0.67, sample 0: 1 whole number, under the name of an amount of money, which has a fraction one day
        "#]],
    );
}

#[test]
fn times_as_numbers() {
    check_names(
        &[
            ("ts", "1714557600"),
            ("created_at", "1714557600123"),
            ("timeMicros", "1714557600123456"),
            ("time_ns", "1714557600123456789"),
            ("sent_ms", "1714557600123"),
            ("at", "1714557600.25"),
            ("response_time", "1714557600"),
            ("user", "1714557600"),
            ("when", "12"),
        ],
        &expect![[r#"
            ts DateTime('UTC') | 0.67, sample 0: 1 number of seconds since 1970, by name and size
            created_at Int64 | 0.67, sample 0: 1 number of milliseconds since 1970, by name and size: kept as such, since for a DateTime64 a number means seconds
              note: fromUnixTimestamp64Milli(created_at) is the moment; a column may be MATERIALIZED from it
            timeMicros Int64 | 0.67, sample 0: 1 number of microseconds since 1970, by name and size: kept as such, since for a DateTime64 a number means seconds
              note: fromUnixTimestamp64Micro(timeMicros) is the moment; a column may be MATERIALIZED from it
            time_ns Int64 | 0.67, sample 0: 1 number of nanoseconds since 1970, by name and size: kept as such, since for a DateTime64 a number means seconds
              note: fromUnixTimestamp64Nano(time_ns) is the moment; a column may be MATERIALIZED from it
            sent_ms Int64 | 0.67, sample 0: 1 number of milliseconds since 1970, by name and size: kept as such, since for a DateTime64 a number means seconds
              note: fromUnixTimestamp64Milli(sent_ms) is the moment; a column may be MATERIALIZED from it
            at DateTime64(3, 'UTC') | 0.67, sample 0: 1 number of seconds since 1970, by name and size, with up to 2 digits behind the point
            response_time UInt64 | 0.67, sample 0: 1 whole number, none below zero
            user UInt64 | 0.67, sample 0: 1 whole number, none below zero
            when UInt64 | 0.67, sample 0: 1 whole number, none below zero
        "#]],
    );
}

#[test]
fn numbers_with_a_point() {
    check_values(
        &["1", "2.5"],
        &expect![[r#"
        a Float64 | 0.75, sample 1: 2 numbers, some with a point
    "#]],
    );
    check_values(
        &["1e3"],
        &expect![[r#"
        a Float64 | 0.67, sample 0: 1 number with a point
    "#]],
    );
    check_values(
        &["1.5", "1e400"],
        &expect![[r#"
        a String | 0.25, sample 1: numbers of which some are beyond a Float64: kept as text
    "#]],
    );
    check_names(
        &[("price", "19.99"), ("unitPrice", "0.12345"), ("total_ms", "1.5"), ("tax", "1e2")],
        &expect![[r#"
            price Decimal(18, 4) | 0.67, sample 0: 1 number with up to 2 digits behind the point, under the name of an amount of money
            unitPrice Float64 | 0.67, sample 0: 1 number with a point
            total_ms Float64 | 0.67, sample 0: 1 number with a point
            tax Float64 | 0.67, sample 0: 1 number with a point
        "#]],
    );
}

#[test]
fn whole_amounts_beside_others() {
    check_names(
        &[
            ("total", "20"),
            ("fee_cents", "20"),
            ("refund", "-5"),
            ("lines", r#"[{"discount":0,"quantity":2}]"#),
            ("subtotal", "19.5"),
        ],
        &expect![[r#"
            total Decimal(18, 4) | 0.67, sample 0: 1 whole number, under the name of an amount of money, which has a fraction one day
            fee_cents UInt64 | 0.67, sample 0: 1 whole number, none below zero
            refund Decimal(18, 4) | 0.67, sample 0: 1 whole number, under the name of an amount of money, which has a fraction one day
            lines Array(Tuple(discount Decimal(18, 4), quantity UInt32)) | 0.67, sample 0: 1 array of 1 object with the same 2 keys
            subtotal Decimal(18, 4) | 0.67, sample 0: 1 number with up to 1 digit behind the point, under the name of an amount of money
        "#]],
    );
}

#[test]
fn truths() {
    check_values(
        &["true", "false", "null"],
        &expect![[r#"
        a Nullable(Bool) | 0.75, sample 2: 2 times true or false; null in 1 of 3 samples
    "#]],
    );
    check_values(
        &["true", "0", "1"],
        &expect![[r#"
        a Bool | 0.80, sample 1: true and false, in some values written as 1 and 0
    "#]],
    );
    check_values(
        &["true", "2"],
        &expect![[r#"
        a String | 0.25, sample 1: values of several kinds (1 true or false, 1 whole number), kept as their text
    "#]],
    );
}

#[test]
fn moments_and_dates() {
    check_values(
        &["\"2024-01-02T03:04:05Z\"", "\"2024-01-02 03:04:05.25\""],
        &expect![[r#"
        a DateTime64(3, 'UTC') | 0.75, sample 1: 2 dates with time, with up to 2 digits of a second, some without a zone and taken for UTC
    "#]],
    );
    check_values(
        &["\"2024-01-02T03:04:05.123456+02:00\""],
        &expect![[r#"
        a DateTime64(6, 'UTC') | 0.67, sample 0: 1 date with time, with up to 6 digits of a second
    "#]],
    );
    check_values(
        &["\"2024-01-02T03:04:05.123456789Z\"", "\"2290-01-01T00:00:00Z\""],
        &expect![[r#"
            a String | 0.75, sample 0: 2 texts, all different; dates with time, but no DateTime64 holds all of them with nine digits of a second
        "#]],
    );
    check_values(
        &["\"2024-01-02\"", "\"2024/01/03\""],
        &expect![[r#"
        a Date | 0.75, sample 0: 2 dates
    "#]],
    );
    check_values(
        &["\"2024-01-02\"", "\"1945-05-08\""],
        &expect![[r#"
        a Date32 | 0.75, sample 0: 2 dates, some outside of 1970 to 2149
    "#]],
    );
    check_values(
        &["\"2024-01-02\"", "\"2024-01-02T03:04Z\""],
        &expect![[r#"
        a DateTime64(3, 'UTC') | 0.75, sample 1: 2 dates with time, to the second, with room for three digits more
    "#]],
    );
    check_values(
        &["\"2024-01-02\"", "\"\""],
        &expect![[r#"
        a String | 0.75, sample 1: 2 texts (1 empty), all different
    "#]],
    );
    check_values(
        &["\"2024-02-30\""],
        &expect![[r#"
        a String | 0.67, sample 0: 1 text
    "#]],
    );
    check_values(
        &["\"2024-01-02 03:04:05 UTC\"", "\"2024-01-02 03:04:05 +0200\""],
        &expect![[r#"
        a DateTime64(3, 'UTC') | 0.75, sample 0: 2 dates with time, to the second, with room for three digits more
    "#]],
    );
    check_values(
        &["\"01/02/2024\""],
        &expect![[r#"
        a String | 0.67, sample 0: 1 text
    "#]],
    );
    check_values(
        &["\"2024-01-02 03:04:05,123\""],
        &expect![[r#"
        a String | 0.67, sample 0: 1 text
    "#]],
    );
}

#[test]
fn addresses_and_uuids() {
    check_values(
        &["\"6f0e2a4c-1b7d-4c3e-9a51-0d2f6b8c7e90\"", "null"],
        &expect![[r#"
        a Nullable(UUID) | 0.67, sample 1: 1 UUID; null in 1 of 2 samples
    "#]],
    );
    check_values(
        &["\"6f0e2a4c1b7d4c3e9a510d2f6b8c7e90\""],
        &expect![[r#"
        a String | 0.67, sample 0: 1 text
    "#]],
    );
    check_values(
        &["\"10.0.0.1\"", "\"2001:db8::1\""],
        &expect![[r#"
        a IPv6 | 0.75, sample 1: 2 IP addresses, of version 6 in part or all
    "#]],
    );
    check_values(
        &["\"10.0.0.1\"", "\"unknown\""],
        &expect![[r#"
        a String | 0.75, sample 1: 2 texts, all different
    "#]],
    );
    check_names(
        &[("app_version", "\"10.0.19.1\"")],
        &expect![[r#"
        app_version String | 0.67, sample 0: 1 text
    "#]],
    );
}

#[test]
fn texts_that_repeat() {
    let values = |count: usize, different: usize| -> Vec<String> {
        (0..count)
            .map(|at| format!("{{\"kind\":\"v{0}\",\"kind_id\":\"v{0}\",\"url\":\"v{0}\"}}", at % different))
            .collect()
    };
    let check = |values: &[String], expected| {
        check(&values.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    };
    check(
        &values(19, 2),
        &expect![[r#"
        kind String | 0.95, sample 0: 19 texts, 2 different ones
        kind_id String | 0.95, sample 0: 19 texts, 2 different ones
        url String | 0.95, sample 0: 19 texts, 2 different ones
    "#]],
    );
    check(
        &values(20, 3),
        &expect![[r#"
        kind LowCardinality(String) | 0.95, sample 0: 20 texts, only 3 different ones
        kind_id String | 0.95, sample 0: 20 texts, 3 different ones
        url String | 0.95, sample 0: 20 texts, 3 different ones
    "#]],
    );
    check(
        &values(40, 12),
        &expect![[r#"
        kind String | 0.98, sample 0: 40 texts, 12 different ones
        kind_id String | 0.98, sample 0: 40 texts, 12 different ones
        url String | 0.98, sample 0: 40 texts, 12 different ones
    "#]],
    );
    let mut values = values(24, 3);
    values.push("{\"url\":null}".to_owned());
    check(
        &values,
        &expect![[r#"
        kind LowCardinality(Nullable(String)) | 0.96, sample 24: 24 texts, only 3 different ones; missing in 1 of 25 samples
        kind_id Nullable(String) | 0.96, sample 24: 24 texts, 3 different ones; missing in 1 of 25 samples
        url Nullable(String) | 0.96, sample 24: 24 texts, 3 different ones; null in 1 of 25 samples
    "#]],
    );
}

#[test]
fn nothing_much() {
    check(
        &[r#"{"a":null}"#, r#"{"b":[]}"#, r#"{"c":{}}"#, r#"{"d":[null]}"#, r"{}"],
        &expect![[r#"
        a Nullable(String) | 0.50, sample 0: null alone, which says nothing of a type: a String takes whatever comes; missing in 4 and null in 1 of 5 samples
        b Array(String) | 0.50, sample 1: 1 empty array: a String as element takes whatever comes; missing in 4 of 5 samples, stored as empty
        c JSON | 0.67, sample 2: 1 empty object; missing in 4 of 5 samples, stored as empty
        d Array(Nullable(String)) | 0.50, sample 3: 1 array of null alone, which says nothing of a type: a String takes whatever comes; missing in 4 of 5 samples, stored as empty
    "#]],
    );
    check(&[], &expect![[""]]);
}

#[test]
fn arrays() {
    check_values(
        &["[1,2]", "[]", "null"],
        &expect![[r#"
        a Array(UInt64) | 0.75, sample 0: 2 arrays of 2 whole numbers, none below zero; null in 1 of 3 samples, stored as empty
    "#]],
    );
    check_values(
        &["[1,null,2.5]"],
        &expect![[r#"
        a Array(Nullable(Float64)) | 0.67, sample 0: 1 array of 2 numbers, some with a point
    "#]],
    );
    check_values(
        &["[[1],[\"x\"]]"],
        &expect![[r#"
        a Array(Array(String)) | 0.50, sample 0: 1 array of 2 arrays of values of several kinds (1 whole number, 1 text), kept as their text
    "#]],
    );
    check_values(
        &["[1]", "\"1\""],
        &expect![[r#"
        a String | 0.50, sample 1: values of several kinds (1 text, 1 array), kept as their text
    "#]],
    );
    check_values(
        &[r#"[{"sku":"a","n":1},{"sku":"b"}]"#, r#"[{"sku":"c","n":2},null]"#],
        &expect![[r#"
        a Array(Tuple(sku Nullable(String), n Nullable(UInt64))) | 0.75, sample 1: 2 arrays of 3 objects with 2 keys, of which 1 missing in some
    "#]],
    );
}

#[test]
fn objects() {
    check_values(
        &[r#"{"x":1,"y":"t"}"#, r#"{"x":2,"y":"u"}"#],
        &expect![[r#"
        a Tuple(x UInt64, y String) | 0.75, sample 0: 2 objects with the same 2 keys
    "#]],
    );
    check_values(
        &[r#"{"x":1,"y":[1]}"#, "null"],
        &expect![[r#"
        a Tuple(x Nullable(UInt64), y Array(UInt64)) | 0.67, sample 1: 1 object with the same 2 keys; null in 1 of 2 samples, where its elements are NULL or empty
    "#]],
    );
    check_values(
        &[r#"{"x":1,"y":2}"#, r#"{"x":2}"#],
        &expect![[r#"
        a Tuple(x UInt64, y Nullable(UInt64)) | 0.67, sample 1: 2 objects with 2 keys, of which 1 missing in some
    "#]],
    );
    check_values(
        &[r#"{"p":1,"q":2}"#, r#"{"r":1.5,"s":1}"#, r#"{"t":null}"#],
        &expect![[r#"
        a Map(String, Nullable(Float64)) | 0.80, sample 2: 3 objects with values of one kind that differ in their keys: one has 1.7 of 5 on average
    "#]],
    );
    check_values(
        &[r#"{"p":1,"q":"x"}"#, r#"{"r":[],"s":1}"#, r#"{"t":{}}"#],
        &expect![[r#"
        a JSON | 0.80, sample 2: 3 objects with values of several kinds that differ in their keys: one has 1.7 of 5 on average
    "#]],
    );
    check_values(
        &[r#"{"2024-01-02":5,"2024-01-03":7}"#],
        &expect![[r#"
        a Map(String, UInt64) | 0.67, sample 0: 1 object with values of one kind, whose keys look like data
    "#]],
    );
    check_values(
        &[r#"{"k.l":"x"}"#],
        &expect![[r#"
        a Map(String, String) | 0.67, sample 0: 1 object with values of one kind, whose keys cannot name elements of a Tuple
    "#]],
    );
    check_values(
        &[r#"{"k.l":"x","k":{"l":1}}"#],
        &expect![[r#"
        a String | 0.33, sample 0: 1 object with values of several kinds, whose keys cannot name elements of a Tuple, and a JSON column would refuse one of them: kept as text
    "#]],
    );
    check_values(
        &[r#"{"k":1,"k":2}"#],
        &expect![[r#"
        a Map(String, UInt64) | 0.67, sample 0: 1 object with values of one kind, one of them with a key twice
    "#]],
    );
    check_values(
        &[r#"{"k":1,"k":"x"}"#],
        &expect![[r#"
        a String | 0.33, sample 0: 1 object with values of several kinds, one of them with a key twice, and a JSON column would refuse one of them: kept as text
    "#]],
    );
    check_values(
        &[r#"{"\u006b":1}"#],
        &expect![[r#"
        a Map(String, UInt64) | 0.67, sample 0: 1 object with values of one kind, whose keys cannot name elements of a Tuple
    "#]],
    );
    check_values(
        &[r#"{"k":1}"#, "[]"],
        &expect![[r#"
        a String | 0.25, sample 1: values of several kinds (1 array, 1 object), kept as their text
    "#]],
    );
    check_names(
        &[("labels", r#"{"zone":"a"}"#), ("options", r#"{"n":1,"x":"t"}"#)],
        &expect![[r#"
        labels Map(String, String) | 0.67, sample 0: 1 object with values of one kind, under a name where any key may be added
        options Tuple(n UInt64, x String) | 0.67, sample 0: 1 object with the same 2 keys
    "#]],
    );
}

#[test]
fn samples_that_no_columns_take() {
    check(
        &["[1]", r#"{"a":1}"#, r#"{"a":1,"a":2}"#, r#"{"a":1} x"#, "", r#"{"a":01}"#, r#"{"a":"\ud800"}"#],
        &expect![[r#"
            a UInt64 | 0.67, sample 1: 1 whole number, none below zero
            refused: 6, first sample 0: the record is not a JSON object (not_an_object at byte 0)
        "#]],
    );
}

#[test]
fn limits() {
    let mut limits = InferenceLimits::default();
    (limits.columns_max, limits.samples_max, limits.sample_bytes_max) = (2, 3, 40);
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(40));
    let samples =
        [r#"{"a":1,"b":2,"c":3}"#, &large, r#"{"B":1,"A":2}"#, r#"{"d":1}"#, r#"{"a":1}"#, r#"{"a":2}"#];
    expect![[r#"
        a Nullable(UInt64) | 0.75, sample 3: 2 whole numbers, none below zero; missing in 1 of 3 samples
        b Nullable(UInt64) | 0.67, sample 3: 1 whole number, none below zero; missing in 2 of 3 samples
        left out: "c": the first of the keys beyond the limit, which is 2 columns with names of 256 bytes; samples had such keys 2 times
        refused: 3, first sample 1: the sample is larger than the limit (record_too_large at byte 40)
    "#]].assert_eq(&columns(&infer(&mut Inference::with_limits(limits), &samples)));

    let mut limits = InferenceLimits::default();
    (limits.keys_max, limits.levels_max, limits.paths_max) = (2, 2, 5);
    let samples = [r#"{"m":{"a":1,"b":2,"c":3},"deep":{"x":{"y":[1]}},"late":[{"z":1}]}"#];
    expect![[r#"
        m Map(String, UInt64) | 0.67, sample 0: 1 object with values of one kind, with more keys than are told apart
        deep Tuple(x Tuple(y String)) | 0.33, sample 0: 1 object with the same key
        late String | 0.33, sample 0: arrays, kept as text: they lie deeper than is looked at, or there are more paths than the limit
    "#]].assert_eq(&columns(&infer(&mut Inference::with_limits(limits), &samples)));
}

/// An array of empty objects is short, but not as a row, where it is one of tuples with all of their elements.
#[test]
fn short_samples_with_large_rows() {
    let wide = r#"{"a":[{"x":1,"y":"t","z":true}]}"#;
    let long = format!("{{\"a\":[{}]}}", vec!["{}"; 300_000].join(","));
    let inferred = infer(&mut Inference::new(), &[wide, &long]);
    assert_eq!(inferred.columns().to_string(), "a Array(JSON)");
}
