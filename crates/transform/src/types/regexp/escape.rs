//! What begins with a backslash.

use super::Scanner;

impl Scanner<'_> {
    /// What a backslash begins; none for a class.
    pub(super) fn escape(&mut self) -> Result<Option<char>, String> {
        let rest = self.rest();
        let mut chars = rest[1..].chars();
        let Some(c) = chars.next() else { return Err("trailing \\".to_owned()) };
        let bad =
            |bytes: usize| Err(format!("invalid escape sequence: {}", rest.get(..bytes).unwrap_or(rest)));
        let octal = |from: usize| {
            rest[from..].bytes().take(2).take_while(|byte| (b'0'..=b'7').contains(byte)).count()
        };
        let (bytes, character) = match c {
            'd' | 'D' | 's' | 'S' | 'w' | 'W' => (2, None),
            'p' | 'P' => (self.unicode_group()?, None),
            '1'..='7' if octal(2) == 0 => return bad(2),
            '0'..='7' => {
                let bytes = 2 + octal(2);
                let code = u32::from_str_radix(&rest[1..bytes], 8).unwrap_or(0);
                (bytes, char::from_u32(code))
            }
            'x' => {
                let (digits, bytes) = match rest[2..].strip_prefix('{') {
                    Some(braced) => match braced.find('}') {
                        Some(end) => (&braced[..end], end + 4),
                        None => return bad(rest.len()),
                    },
                    None => (rest.get(2..4).unwrap_or_default(), 4),
                };
                match u32::from_str_radix(digits, 16) {
                    Ok(code) if code <= 0x10_FFFF => (bytes, char::from_u32(code)),
                    _ => return bad(bytes.min(rest.len())),
                }
            }
            'a' => (2, Some('\u{7}')),
            'f' => (2, Some('\u{c}')),
            'n' => (2, Some('\n')),
            'r' => (2, Some('\r')),
            't' => (2, Some('\t')),
            'v' => (2, Some('\u{b}')),
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => (2, Some(c)),
            c => return bad(1 + c.len_utf8()),
        };
        self.at += bytes;
        Ok(character)
    }

    /// The bytes of `\pN`, `\p{Greek}` or `\p{^Greek}`.
    fn unicode_group(&self) -> Result<usize, String> {
        let rest = self.rest();
        let (name, bytes) = match rest[2..].strip_prefix('{') {
            Some(braced) => match braced.find('}') {
                Some(end) => (braced[..end].trim_start_matches('^'), end + 4),
                None => return Err(format!("invalid character class range: {rest}")),
            },
            None => {
                let bytes = rest[2..].chars().next().map_or(0, char::len_utf8);
                (&rest[2..2 + bytes], 2 + bytes)
            }
        };
        let is_known = match name.len() {
            0 => false,
            1 | 2 => CATEGORIES.contains(&name),
            _ => name.starts_with(|c: char| c.is_ascii_uppercase()),
        };
        if is_known { Ok(bytes) } else { Err(format!("invalid character class range: {}", &rest[..bytes])) }
    }
}

/// Unicode's general categories. Longer names are those of scripts.
const CATEGORIES: [&str; 37] = [
    "C", "Cc", "Cf", "Co", "Cs", "L", "Ll", "Lm", "Lo", "Lt", "Lu", "M", "Mc", "Me", "Mn", "N", "Nd", "Nl",
    "No", "P", "Pc", "Pd", "Pe", "Pf", "Pi", "Po", "Ps", "S", "Sc", "Sk", "Sm", "So", "Z", "Zl", "Zp", "Zs",
    "Yi",
];
