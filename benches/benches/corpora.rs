//! Every corpus, ours and the peers: `cargo bench -p housepipe-benches --bench corpora`.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot start has nothing to say")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use housepipe_benches::transform::cases::{Engines, cases, check_equal_bytes};
use housepipe_benches::transform::corpora::{KINDS, SEED};
use housepipe_benches::transform::run::Size;

fn corpora(criterion: &mut Criterion) {
    for kind in KINDS {
        let dataset = kind.generate(SEED, Size::L2.bytes);
        let mut all = cases(&dataset, &Engines::default()).unwrap();
        check_equal_bytes(&dataset, &mut all).unwrap();
        let mut group = criterion.benchmark_group(kind.name);
        group.throughput(Throughput::Bytes(dataset.bytes() as u64));
        let mut out = Vec::new();
        for mut case in all {
            group.bench_function(&case.name, |bencher| bencher.iter(|| black_box((case.run)(&mut out))));
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_millis(300));
    targets = corpora
}
criterion_main!(benches);
