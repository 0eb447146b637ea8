//! Values as texts that are the same for equal values alone, to find elements that come twice.

use super::{Kind, Number, Tree};

impl Tree<'_> {
    /// Appends the value at `at`. As deep as the record is, which has a limit.
    pub(crate) fn canonical(self, at: u32, out: &mut Vec<u8>) {
        let Some(item) = self.item(at) else { return };
        match item.kind {
            Kind::Null => out.push(b'n'),
            Kind::False => out.push(b'f'),
            Kind::True => out.push(b't'),
            Kind::Number => Number(self.source(item)).canonical(out),
            Kind::String | Kind::Name | Kind::Shadowed => text(self.text(item), out),
            Kind::Array => {
                out.push(b'[');
                for element in self.elements(at) {
                    self.canonical(element, out);
                    out.push(b',');
                }
                out.push(b']');
            }
            Kind::Object => {
                let mut members: Vec<(&str, u32)> = self.members(at).collect();
                members.sort_unstable();
                out.push(b'{');
                for (name, value) in members {
                    text(name, out);
                    self.canonical(value, out);
                    out.push(b',');
                }
                out.push(b'}');
            }
        }
    }
}

/// A text behind its length, so that none can look like the end of another.
fn text(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("\"{}:", text.len()).as_bytes());
    out.extend_from_slice(text.as_bytes());
}
