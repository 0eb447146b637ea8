//! The benchmark of schema validation: our two ways, the transform of the same records beside them, and the way that a program
//! without ours would go.

pub mod schemas;

use anyhow::{Context, ensure};
use housepipe_json_schema::{Formats, Options, Schema, Validator};
use housepipe_transform::{Encoder, PlanOptions};

use crate::transform::cases::{Case, Run, SLICE_BYTES, plan};
use crate::transform::corpora::{Dataset, Kind};
use schemas::Known;

/// Our row.
pub const OURS: &str = "check";
/// Ours without the fast way.
pub const BY_TREE: &str = "check by tree";
/// The transform, record by record.
pub const TRANSFORM: &str = "transform, one record a call";
/// The transform as the pipe calls it.
pub const TRANSFORM_GROUPS: &str = "transform, 256 KiB a call";
/// The way without ours.
pub const PEER: &str = "serde_json::Value + jsonschema";

/// The records of a schema.
///
/// # Errors
/// Where there is no such corpus.
pub fn dataset(known: &Known, seed: u64, bytes: usize) -> anyhow::Result<Dataset> {
    Ok(Kind::by_name(known.corpus)?.generate(seed, bytes))
}

/// All ways over the records of a dataset. Each counts the records that are valid, or rows.
///
/// # Errors
/// Where the schema or the columns cannot be compiled.
pub fn cases<'d>(known: &Known, dataset: &'d Dataset) -> anyhow::Result<Vec<Case<'d>>> {
    let schema = compiled(known)?;
    let (mut fast, mut slow) = (Validator::new(schema.clone()), Validator::new(schema));
    let peer = peer(known)?;
    let plan = plan(&dataset.columns, &PlanOptions::default())?;
    let (mut single, mut grouped) = (Encoder::new(plan.clone()), Encoder::new(plan));
    let slices = dataset.slices(SLICE_BYTES);
    let case = |name: &str, run: Run<'d>| Case { name: name.to_owned(), run };
    Ok(vec![
        case(OURS, Box::new(move |_| dataset.records().filter(|record| fast.check(record).is_ok()).count())),
        case(
            BY_TREE,
            Box::new(move |_| dataset.records().filter(|record| slow.check_by_tree(record).is_ok()).count()),
        ),
        case(
            TRANSFORM,
            Box::new(move |out| {
                out.clear();
                dataset.records().filter(|record| single.encode(record, out).is_ok()).count()
            }),
        ),
        case(
            TRANSFORM_GROUPS,
            Box::new(move |out| {
                out.clear();
                slices.iter().map(|slice| grouped.encode_batch(slice, out, |_, _| {})).sum()
            }),
        ),
        case(PEER, Box::new(move |_| dataset.records().filter(|record| is_valid(&peer, record)).count())),
    ])
}

fn compiled(known: &Known) -> anyhow::Result<Schema> {
    let mut options = Options::default();
    options.formats = Formats::Assert;
    let none: [(&str, &str); 0] = [];
    Schema::compile(&known.text, none, &options).with_context(|| format!("the schema `{}`", known.name))
}

fn peer(known: &Known) -> anyhow::Result<jsonschema::Validator> {
    let schema = serde_json::from_str(&known.text)?;
    Ok(jsonschema::options().should_validate_formats(true).build(&schema)?)
}

fn is_valid(peer: &jsonschema::Validator, record: &[u8]) -> bool {
    serde_json::from_slice(record).is_ok_and(|value| peer.is_valid(&value))
}

/// Compares the verdicts of all ways, record by record, also of records that were spoilt. Returns how many were valid.
///
/// # Errors
/// The first record that is judged in two ways, and a dataset in which all records or none are valid.
pub fn check_equal_verdicts(known: &Known, dataset: &Dataset) -> anyhow::Result<usize> {
    let schema = compiled(known)?;
    let (mut fast, mut slow) = (Validator::new(schema.clone()), Validator::new(schema));
    let peer = peer(known)?;
    let (mut valid, mut spoilt_valid, mut accepted) = (0, 0, 0);
    for (index, record) in dataset.records().enumerate() {
        let mut judge = |record: &[u8]| -> anyhow::Result<bool> {
            let verdict = is_valid(&peer, record);
            let ours = [fast.check(record).is_ok(), slow.check_by_tree(record).is_ok()];
            ensure!(
                ours == [verdict; 2],
                "{}: `{}` is judged {ours:?} by us and {verdict} by the peer",
                known.name,
                String::from_utf8_lossy(record)
            );
            Ok(verdict)
        };
        valid += usize::from(judge(record)?);
        let mut spoilt = record.to_vec();
        let length = spoilt.len();
        let at = index.wrapping_mul(7919) % length;
        spoilt[at] = b"0x\"}-"[index % 5];
        spoilt_valid += usize::from(judge(&spoilt)?);
        accepted += usize::from(fast.is_certainly_valid(record));
    }
    ensure!(valid == dataset.len(), "{}: {valid} of {} records are valid", known.name, dataset.len());
    ensure!(spoilt_valid < dataset.len(), "{}: no spoilt record is found", known.name);
    Ok(accepted)
}
