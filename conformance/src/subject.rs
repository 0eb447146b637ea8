//! The encoder under test: every record by the exact path, one by one, and the list by the chosen engine in two parts.

use std::sync::Arc;

use housepipe_transform::{Columns, Encoder, Engine, Plan, PlanOptions, Reject, Semantics};

use crate::random::Random;

/// The row, or why there is none.
pub(crate) type Verdict = Result<Vec<u8>, Reject>;

/// What became of a list of records.
#[derive(Debug)]
pub(crate) struct Encoded {
    /// The verdicts of the exact path.
    pub(crate) verdicts: Vec<Verdict>,
    /// How the engine's rows or rejects differ from them, if they do.
    pub(crate) engine_differs: Option<String>,
}

/// What is compared with ClickHouse.
pub(crate) trait Subject {
    /// Encodes the records in their order by one encoder. An error where the columns have no plan.
    fn encode(
        &mut self,
        columns: &Columns,
        semantics: Semantics,
        records: &[Vec<u8>],
    ) -> Result<Encoded, String>;
}

/// The product's encoder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Product {
    pub(crate) engine: Engine,
}

impl Subject for Product {
    fn encode(
        &mut self,
        columns: &Columns,
        semantics: Semantics,
        records: &[Vec<u8>],
    ) -> Result<Encoded, String> {
        let options = PlanOptions::default().with_semantics(semantics);
        let plan = Arc::new(Plan::compile(columns, &options).map_err(|error| error.to_string())?);
        let mut exact = Encoder::with_engine(Arc::clone(&plan), Engine::EXACT);
        let mut verdicts: Vec<Verdict> = Vec::with_capacity(records.len());
        let mut odd = None;
        for record in records {
            let mut row = BEFORE.to_vec();
            let verdict = exact.encode(record, &mut row).map(|()| row.split_off(BEFORE.len()));
            if row != BEFORE {
                odd = Some("a reject changed the output".to_owned());
            }
            if verdict.as_ref().is_err_and(|reject| reject.position > record.len()) {
                odd = Some("a reject stands behind the record".to_owned());
            }
            verdicts.push(verdict);
        }
        let by_engine = self.batch(plan, records);
        let engine_differs = odd.or_else(|| match by_engine {
            Ok(batch) => differs(&verdicts, &batch),
            Err(change) => Some(change),
        });
        Ok(Encoded { engine_differs, verdicts })
    }
}

/// All rows one after the other, how many there are, and the rejects with their index.
type Batch = (Vec<u8>, usize, Vec<(usize, Reject)>);

/// What stands in the output before the first row.
const BEFORE: &[u8] = b"before";

impl Product {
    /// Encodes the list in two parts by one encoder, mostly each as a batch: what it has learned from the first may
    /// not change a verdict on the second. Where the list is parted follows from its size.
    fn batch(self, plan: Arc<Plan>, records: &[Vec<u8>]) -> Result<Batch, String> {
        let bytes = records.iter().map(Vec::len).sum::<usize>();
        let mut r = Random::of_group(bytes as u64, records.len() as u64);
        let cut = r.below(records.len() + 1);
        let mut encoder = Encoder::with_engine(plan, self.engine);
        let (mut rows, mut rejects, mut count) = (BEFORE.to_vec(), Vec::new(), 0);
        for (start, part) in [(0, &records[..cut]), (cut, &records[cut..])] {
            if r.chance(SINGLE_PERCENT) {
                for (at, record) in part.iter().enumerate() {
                    match encoder.encode(record, &mut rows) {
                        Ok(()) => count += 1,
                        Err(reject) => rejects.push((start + at, reject)),
                    }
                }
                continue;
            }
            let slices: Vec<&[u8]> = part.iter().map(Vec::as_slice).collect();
            count += encoder
                .encode_batch(&slices, &mut rows, |index, reject| rejects.push((start + index, reject)));
        }
        if !rows.starts_with(BEFORE) {
            return Err("what stood before the rows was changed".to_owned());
        }
        Ok((rows.split_off(BEFORE.len()), count, rejects))
    }
}

/// How often, of a hundred, a part of a list is encoded record by record.
const SINGLE_PERCENT: usize = 25;

/// The first difference between a list of verdicts and a batch.
fn differs(verdicts: &[Verdict], (rows, count, rejects): &Batch) -> Option<String> {
    let mut rest = rejects.iter();
    let mut at = 0;
    for (index, verdict) in verdicts.iter().enumerate() {
        match verdict {
            Ok(row) => {
                if rows.get(at..at + row.len()) != Some(row.as_slice()) {
                    return Some(format!("the row of record {index} is another one"));
                }
                at += row.len();
            }
            Err(exact) => {
                let Some((other, reject)) = rest.next() else {
                    return Some(format!("record {index} is accepted, not {exact:?}"));
                };
                let same = (reject.code, reject.position, &reject.column)
                    == (exact.code, exact.position, &exact.column);
                if *other != index || !same {
                    return Some(format!("record {other} is {reject:?}, record {index} should be {exact:?}"));
                }
            }
        }
    }
    if let Some((index, reject)) = rest.next() {
        return Some(format!("record {index} is {reject:?}, and should be accepted"));
    }
    let accepted = verdicts.iter().filter(|verdict| verdict.is_ok()).count();
    (at != rows.len() || accepted != *count)
        .then(|| format!("{count} rows in {} bytes, not {accepted} in {at}", rows.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(records: &[&[u8]]) -> (Vec<Verdict>, Batch) {
        let columns: Columns = "a UInt8".parse().unwrap();
        let records: Vec<Vec<u8>> = records.iter().map(|record| record.to_vec()).collect();
        let mut product = Product { engine: Engine::default() };
        let encoded = product.encode(&columns, Semantics::Strict, &records).unwrap();
        assert_eq!(encoded.engine_differs, None);
        let plan = Plan::compile(&columns, &PlanOptions::default()).unwrap();
        (encoded.verdicts, product.batch(Arc::new(plan), &records).unwrap())
    }

    #[test]
    fn every_kind_of_difference_between_engines_is_seen() {
        let (verdicts, batch) = encoded(&[br#"{"a":1}"#, br#"{"a":"x"}"#, br#"{"a":2}"#]);
        assert_eq!(differs(&verdicts, &batch), None);
        let spoil = |change: fn(&mut Batch)| {
            let mut batch = batch.clone();
            change(&mut batch);
            differs(&verdicts, &batch)
        };
        assert!(spoil(|batch| batch.0[1] ^= 1).is_some());
        assert!(spoil(|batch| batch.0.push(0)).is_some());
        assert!(spoil(|batch| batch.0.truncate(1)).is_some());
        assert!(spoil(|batch| batch.1 += 1).is_some());
        assert!(spoil(|batch| batch.2[0].0 = 2).is_some());
        assert!(spoil(|batch| batch.2[0].1.position += 1).is_some());
        assert!(spoil(|batch| batch.2[0].1.column = None).is_some());
        assert!(spoil(|batch| batch.2.clear()).is_some());
    }
}
