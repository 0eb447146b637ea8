//! Numbers as JSON text: whole ones, floats and decimals.

use crate::random::Random;

/// Whole numbers: small, at the edges of every width, and of any number of digits.
pub(crate) fn integer(r: &mut Random, bits: u32, signed: bool) -> String {
    let number = match r.below(12) {
        0 => {
            const EDGES: &[&str] = &[
                "127",
                "128",
                "255",
                "256",
                "32767",
                "32768",
                "65535",
                "65536",
                "2147483647",
                "2147483648",
                "4294967295",
                "4294967296",
                "9223372036854775807",
                "9223372036854775808",
                "18446744073709551615",
                "18446744073709551616",
                "170141183460469231731687303715884105727",
                "170141183460469231731687303715884105728",
                "340282366920938463463374607431768211455",
                "340282366920938463463374607431768211456",
                "57896044618658097711785492504343953926634992332820282019728792003956564819967",
                "57896044618658097711785492504343953926634992332820282019728792003956564819968",
                "115792089237316195423570985008687907853269984665640564039457584007913129639935",
                "115792089237316195423570985008687907853269984665640564039457584007913129639936",
                "100000000",
                "99999999",
                "10000000000000000",
                "9999999999999999",
            ];
            r.pick(EDGES).to_owned()
        }
        1 => {
            let count = r.pick(&[7, 8, 9, 15, 16, 17, 18, 19, 20, 21, 38, 39, 77, 78, 100, 400]);
            r.digits(count)
        }
        2 => r.below(120).to_string(),
        3 => format!("0{}", r.below(200)),
        // Most fit, of any length that fits.
        _ => {
            let digits_max = (bits - u32::from(signed)) as usize * 3 / 10;
            let count = r.range(1, digits_max.max(1) + 1);
            let text = r.digits(count);
            let text = text.trim_start_matches('0');
            if text.is_empty() { "0".to_owned() } else { text.to_owned() }
        }
    };
    let sign = if r.chance(if signed { 40 } else { 2 }) {
        "-"
    } else {
        r.pick(&["", "", "", "", "", "", "", "", "", "+"])
    };
    if r.chance(20) { format!("\"{sign}{number}\"") } else { format!("{sign}{number}") }
}

pub(crate) fn float(r: &mut Random) -> String {
    const EDGES: &[&str] = &[
        "1.7976931348623157e308",
        "1.7976931348623159e308",
        "4.9e-324",
        "2.4703282292062327e-324",
        "2.2250738585072011e-308",
        "3.4028235e38",
        "3.4028236e38",
        "1.1754944e-38",
        "1e-45",
        "7e-46",
        "16777217",
        "16777217.0000001",
        "9007199254740993",
        "9007199254740992.5",
        "0.1",
        "1e23",
        "8.5e22",
        "0.30000000000000004",
        "1.00000017881393432617187499",
        "1.00000017881393432617187501",
        "123456789012345678901234567890",
        "0e99999",
        "1e99999",
        "1e-99999",
        "-0.0",
        "0.5e+1",
    ];
    let text = match r.below(8) {
        0 => r.pick(EDGES).to_owned(),
        1 => {
            let (whole, fraction) = (r.pick(&[1, 5, 15, 17, 19, 20, 21, 40]), r.pick(&[0, 1, 9, 17, 20, 45]));
            let (whole, fraction) = (r.digits(whole), r.digits(fraction));
            let exponent = r.pick(&["", "", "e5", "E-7", "e+20", "e-300", "e300", "e-30"]);
            format!("{whole}.{fraction}{exponent}")
        }
        2 => f64::from_bits(r.bits()).to_string().replace("NaN", "1.5").replace("inf", "1e9"),
        3 => format!("{:e}", f64::from_bits(r.bits() >> 1)).replace("NaN", "1e5").replace("inf", "1e9"),
        4 => r.below(100_000).to_string(),
        5 => {
            return r
                .pick(&["\"nan\"", "\"inf\"", "\"-inf\"", "\"NaN\"", "\"Infinity\"", "\"+inf\""])
                .to_owned();
        }
        _ => format!("{}.{}", r.below(100_000), r.below(1_000_000)),
    };
    let sign = if r.chance(20) && !text.starts_with('-') { "-" } else { "" };
    if r.chance(12) { format!("\"{sign}{text}\"") } else { format!("{sign}{text}") }
}

pub(crate) fn decimal(r: &mut Random) -> String {
    let whole = r.pick(&[0, 1, 1, 2, 3, 5, 7, 8, 16, 28, 39, 76, 77]);
    let fraction = r.pick(&[0, 0, 1, 2, 2, 3, 10, 18, 19, 40, 80]);
    let (whole, fraction) = (r.digits(whole), r.digits(fraction));
    let point = if fraction.is_empty() && r.chance(90) { "" } else { "." };
    let exponent =
        if r.chance(10) { r.pick(&["e3", "E-2", "e+1", "e", "e40", "e-99", "e99999"]) } else { "" };
    let text = format!("{}{whole}{point}{fraction}{exponent}", r.pick(&["", "", "", "-", "+"]));
    if r.chance(30) || text.is_empty() { format!("\"{text}\"") } else { text }
}
