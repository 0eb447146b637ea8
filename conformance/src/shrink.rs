//! Makes a finding small: fewer columns, a simpler type, a shorter record, as long as it still differs the same way.

use crate::compare::{Class, compare};
use crate::group::{ColumnShape, Group, list_of};
use crate::reference::Reference;
use crate::subject::Subject;

/// Attempts on one finding, at most.
const ATTEMPTS_MAX: usize = 1_000;

/// Shrinks with a budget of attempts.
pub(crate) struct Shrinker<'a, S, R> {
    pub(crate) subject: &'a mut S,
    pub(crate) reference: &'a mut R,
    class: Class,
    attempts: usize,
}

impl<'a, S: Subject, R: Reference> Shrinker<'a, S, R> {
    /// A shrinker of a difference of this class.
    pub(crate) fn new(subject: &'a mut S, reference: &'a mut R, class: Class) -> Self {
        Self { subject, reference, class, attempts: 0 }
    }

    /// The smallest group found that differs alike: the record that differs, or all that are needed for it.
    pub(crate) fn shrink(mut self, group: &Group, record: usize) -> anyhow::Result<Group> {
        let alone = Group { columns: group.columns.clone(), records: vec![group.records[record].clone()] };
        let mut small = if self.differs(&alone.columns, &alone.records)? {
            alone
        } else {
            // Only in a list, as engines that learn from one record for the next.
            self.fewer_records(group.clone())?
        };
        loop {
            let before = (small.columns.len(), small.records.iter().map(Vec::len).sum::<usize>());
            self.fewer_columns(&mut small)?;
            for at in 0..small.records.len() {
                self.fewer_elements(&mut small, at)?;
                self.shorter_record(&mut small, at)?;
            }
            if small.records.len() == 1 {
                small = self.simpler_type(small)?;
            }
            let after = (small.columns.len(), small.records.iter().map(Vec::len).sum::<usize>());
            if before == after || self.attempts > ATTEMPTS_MAX {
                return Ok(small);
            }
        }
    }

    fn differs(&mut self, columns: &[ColumnShape], records: &[Vec<u8>]) -> anyhow::Result<bool> {
        self.attempts += 1;
        if self.attempts > ATTEMPTS_MAX || columns.is_empty() || records.is_empty() {
            return Ok(false);
        }
        let outcome = compare(&list_of(columns), records, self.subject, self.reference)?;
        Ok(outcome.is_some_and(|outcome| outcome.findings.iter().any(|finding| finding.class == self.class)))
    }

    /// One column of a type that stands somewhere inside, filled by a value that stands somewhere in the record.
    fn simpler_type(&mut self, group: Group) -> anyhow::Result<Group> {
        let values = values(&group.records[0]);
        for (_, shape) in &group.columns {
            for part in shape.parts() {
                for value in &values {
                    let columns = vec![("a".to_owned(), part.clone())];
                    let records = vec![[b"{\"a\":", *value, b"}"].concat()];
                    if self.differs(&columns, &records)? {
                        return Ok(Group { columns, records });
                    }
                }
            }
        }
        Ok(group)
    }

    fn fewer_columns(&mut self, group: &mut Group) -> anyhow::Result<()> {
        let mut at = 0;
        while at < group.columns.len() && group.columns.len() > 1 {
            let mut columns = group.columns.clone();
            columns.remove(at);
            if self.differs(&columns, &group.records)? {
                group.columns = columns;
            } else {
                at += 1;
            }
        }
        Ok(())
    }

    fn fewer_records(&mut self, mut group: Group) -> anyhow::Result<Group> {
        let mut size = group.records.len() / 2;
        while size > 0 {
            let mut at = 0;
            while at < group.records.len() && group.records.len() > 1 {
                let mut records = group.records.clone();
                records.drain(at..(at + size).min(records.len()));
                if self.differs(&group.columns, &records)? {
                    group.records = records;
                } else {
                    at += size;
                }
            }
            size /= 2;
        }
        Ok(group)
    }

    /// Leaves out whole elements of arrays and pairs of objects, which no cut of so many bytes would meet.
    fn fewer_elements(&mut self, group: &mut Group, which: usize) -> anyhow::Result<()> {
        let mut at = 0;
        while at < group.records[which].len() {
            let record = &group.records[which];
            let mut end = at + element_length(&record[at..]);
            end += usize::from(record.get(end) == Some(&b','));
            if at > 0 && matches!(record[at - 1], b'[' | b'{' | b',') && end > at {
                let mut records = group.records.clone();
                records[which].drain(at..end);
                if self.differs(&group.columns, &records)? {
                    group.records = records;
                    continue;
                }
            }
            at += 1;
        }
        Ok(())
    }

    fn shorter_record(&mut self, group: &mut Group, which: usize) -> anyhow::Result<()> {
        let mut size = group.records[which].len() / 2;
        while size > 0 {
            let mut at = 0;
            while at < group.records[which].len() {
                let mut records = group.records.clone();
                let end = (at + size).min(records[which].len());
                records[which].drain(at..end);
                if self.differs(&group.columns, &records)? {
                    group.records = records;
                } else {
                    at += size;
                }
            }
            size /= 2;
        }
        Ok(())
    }
}

/// The values that stand in a record, short ones first, by a loose look at it: the record may be broken.
fn values(record: &[u8]) -> Vec<&[u8]> {
    let mut values: Vec<&[u8]> = Vec::new();
    for (at, byte) in record.iter().enumerate() {
        if !matches!(byte, b':' | b'[' | b'{' | b',') {
            continue;
        }
        let rest = &record[at + 1..];
        let blanks = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let value = &rest[blanks..];
        let length = length_of(value);
        values.extend([&value[..length], value]);
    }
    values.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    values.dedup();
    values
}

/// The length of the value, or of the key and its value, at the beginning.
fn element_length(text: &[u8]) -> usize {
    let length = length_of(text);
    let rest = &text[length..];
    match rest.iter().position(|byte| !byte.is_ascii_whitespace()) {
        Some(colon) if rest[colon] == b':' => length + colon + 1 + length_of(&rest[colon + 1..]),
        _ => length,
    }
}

/// The length of the value at the beginning.
fn length_of(text: &[u8]) -> usize {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.iter().enumerate() {
        if quoted {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
            if !quoted && depth == 0 {
                return at + 1;
            }
            continue;
        }
        match byte {
            b'"' => quoted = true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' if depth <= 1 => return at + depth,
            b']' | b'}' => depth -= 1,
            b',' if depth == 0 => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests;
