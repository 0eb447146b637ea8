//! Texts of callers without tokens: one that stands where a name belongs is written down and shown as no more than its beginning.

/// How a token begins.
const PREFIX: &str = "hpt_";
/// What stands for one.
const MASK: &str = "hpt_…";

/// A path whose segments are no tokens. One that is behind something else in its segment, or is written as `%68pt_`, is one as well.
pub(super) fn path(path: &str) -> String {
    path.split('/').map(segment).collect::<Vec<_>>().join("/")
}

fn segment(segment: &str) -> String {
    match segment.find(PREFIX) {
        Some(at) => format!("{}{MASK}", &segment[..at]),
        None if contains(&decoded(segment)) => MASK.to_owned(),
        None => segment.to_owned(),
    }
}

/// A sentence without tokens: of each the letters that a token may have go.
pub(super) fn sentence(text: &str) -> String {
    let mut parts = text.split(PREFIX);
    let mut masked = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_of_token = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-';
        masked.push_str(MASK);
        masked.push_str(part.trim_start_matches(is_of_token));
    }
    masked
}

fn contains(bytes: &[u8]) -> bool {
    bytes.windows(PREFIX.len()).any(|window| window == PREFIX.as_bytes())
}

/// What `%XX` stand for; what is none stays.
fn decoded(segment: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        let digits = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let stands_for =
            digits.filter(|_| first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(stands_for.unwrap_or(first));
        rest = if stands_for.is_some() { &behind[2..] } else { behind };
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_token_its_beginning_is_left() {
        for (whole, masked) in [
            ("/api/v1/tokens/hpt_s3cret-_x", "/api/v1/tokens/hpt_…"),
            ("/api/v1/pipes/hpt_s3cret/pause", "/api/v1/pipes/hpt_…/pause"),
            ("/api/v1/tokens/Bearer%20hpt_s3cret", "/api/v1/tokens/Bearer%20hpt_…"),
            ("/api/v1/tokens/%68p%74_s3cret", "/api/v1/tokens/hpt_…"),
            ("/api/v1/tokens/eve", "/api/v1/tokens/eve"),
            ("/a%/b%2/c%zz/%", "/a%/b%2/c%zz/%"),
            ("", ""),
        ] {
            assert_eq!(path(whole), masked);
        }
        let text = "there is no token of the name `hpt_s3cret-_x`, nor `hpt_other`";
        assert_eq!(sentence(text), "there is no token of the name `hpt_…`, nor `hpt_…`");
        assert_eq!(sentence("there is no pipe `p1`"), "there is no pipe `p1`");
    }
}
