//! Every path and every tier of ours on the two main corpora: `cargo bench -p housepipe-benches --bench engines`.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot start has nothing to say")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use housepipe_benches::transform::cases::{Engines, OURS, cases, check_equal_bytes};
use housepipe_benches::transform::corpora::{Kind, SEED};
use housepipe_benches::transform::run::Size;
use housepipe_transform::{Path, Tier};

fn engines(criterion: &mut Criterion) {
    for kind in ["logs", "events"].map(|name| Kind::by_name(name).unwrap()) {
        let dataset = kind.generate(SEED, Size::L2.bytes);
        let wanted = Engines { paths: vec![Path::Exact, Path::General, Path::Lockstep], tiers: Tier::all() };
        let mut all = cases(&dataset, &wanted).unwrap();
        check_equal_bytes(&dataset, &mut all).unwrap();
        let mut group = criterion.benchmark_group(kind.name);
        group.throughput(Throughput::Bytes(dataset.bytes() as u64));
        let mut out = Vec::new();
        for mut case in all.into_iter().filter(|case| case.name.starts_with(OURS)) {
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
    targets = engines
}
criterion_main!(benches);
