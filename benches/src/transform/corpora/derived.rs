//! Events whose members were moved, left out or spoilt.

use housepipe_local_stack::corpus::{Corpus, Events};

use super::Writer;
use super::random::Random;

/// Members of an event, `"key":value`. No text of an event holds `,"`, so that a split at it finds the members.
fn members(event: &[u8]) -> Vec<Vec<u8>> {
    let inner = &event[1..event.len() - 1];
    let mut members = Vec::new();
    let mut start = 0;
    for at in 0..inner.len() {
        if inner[at..].starts_with(b",\"") {
            members.push(inner[start..at].to_vec());
            start = at + 1;
        }
    }
    members.push(inner[start..].to_vec());
    members
}

fn write(members: &[Vec<u8>], record: &mut Vec<u8>) {
    record.push(b'{');
    record.extend_from_slice(&members.join(&b','));
    record.push(b'}');
}

/// Every record has its keys in an order of its own.
pub(super) fn shuffled(seed: u64) -> (String, Writer) {
    let events = Events::new(seed);
    let mut event = Vec::new();
    let writer = move |index, record: &mut Vec<u8>| {
        events.write(index, &mut event);
        let mut members = members(&event);
        Random::new(seed, index).shuffle(&mut members);
        write(&members, record);
    };
    (Events::COLUMNS.to_owned(), Box::new(writer))
}

/// One record in 100 is rejected by every reader: a text that is no number or no time, an array for a number, a
/// bracket that closes what it did not open.
pub(super) fn bad(seed: u64) -> (String, Writer) {
    let events = Events::new(seed);
    let mut event = Vec::new();
    let writer = move |index, record: &mut Vec<u8>| {
        events.write(index, &mut event);
        if index % 100 != 57 {
            record.extend_from_slice(&event);
            return;
        }
        let mut members = members(&event);
        match Random::new(seed, index).below(4) {
            0 => members[0] = br#""ts":"soon""#.to_vec(),
            1 => members[8] = br#""count":"many""#.to_vec(),
            2 => members[9] = br#""delta":[1]"#.to_vec(),
            _ => {
                write(&members, record);
                record.pop();
                record.push(b']');
                return;
            }
        }
        write(&members, record);
    };
    (Events::COLUMNS.to_owned(), Box::new(writer))
}

/// Records of `count` shapes, mixed at random. A shape has some of the keys, in an order of its own.
pub(super) fn shapes(seed: u64, count: u64) -> (String, Writer) {
    let events = Events::new(seed);
    let mut event = Vec::new();
    let shapes: Vec<Vec<usize>> =
        (0..count).map(|shape| order(&mut Random::new(seed ^ 0x5AFE, shape))).collect();
    let writer = move |index, record: &mut Vec<u8>| {
        events.write(index, &mut event);
        let members = members(&event);
        let shape = &shapes[Random::new(seed, index).index(shapes.len())];
        let chosen: Vec<Vec<u8>> = shape.iter().map(|at| members[*at].clone()).collect();
        write(&chosen, record);
    };
    (Events::COLUMNS.to_owned(), Box::new(writer))
}

/// 9 to 12 of the 12 keys.
fn order(random: &mut Random) -> Vec<usize> {
    let mut order: Vec<usize> = (0..12).collect();
    random.shuffle(&mut order);
    order.truncate(9 + random.index(4));
    order
}
