//! How fast each stage of the engine is: `cargo bench --bench stages [-- WORD]`.
//!
//! Decoding stands beside `serde_json` building the whole object, and beside checking the lines and taking nothing.

mod work;

/// As the program has it, so that the figures are its own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tripline::base::ValueRef;
use tripline::decode::{Arena, Lines, PathTrie, ScanStats, TimeFormat, extract};
use work::STAGES;
use work::lines::lines;

fn stages(criterion: &mut Criterion) {
    for stage in STAGES {
        let (group, name) = stage.name.split_once('/').expect("a stage and what it does");
        let mut group = criterion.benchmark_group(group);
        group.throughput(Throughput::Elements(stage.items)).sample_size(20).measurement_time(Duration::from_secs(3));
        let mut work = None;
        group.bench_function(name, |bencher| {
            let work = work.get_or_insert_with(stage.prepare);
            bencher.iter(work);
        });
        group.finish();
    }
}

fn beside(criterion: &mut Criterion) {
    let text = lines(5_000);
    let mut group = criterion.benchmark_group("beside decode");
    group.throughput(Throughput::Bytes(text.len() as u64)).sample_size(20);
    let (nothing, mut arena) = (PathTrie::new(&[]), Arena::default());
    group.bench_function("no field, checked only", |bencher| {
        bencher.iter(|| {
            for line in Lines::new(&text, 1 << 20) {
                let good = line.text.expect("the lines are UTF-8");
                extract(good, 0, &nothing, &mut [], &mut arena, &mut ScanStats::default()).expect("the lines are good");
            }
        });
    });
    group.bench_function("serde_json value", |bencher| {
        bencher.iter(|| {
            for line in text.lines() {
                black_box(serde_json::from_str::<serde_json::Value>(line).expect("the lines are good"));
            }
        });
    });
    group.finish();
}

fn time(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("time");
    for (name, text) in
        [("rfc3339 utc", "2024-05-01T10:00:00.123Z"), ("rfc3339 offset", "2024-05-01T12:00:00.123+02:00")]
    {
        group.bench_function(name, |bencher| {
            bencher.iter(|| TimeFormat::Auto.read(ValueRef::Str(black_box(text))));
        });
    }
    group.finish();
}

criterion_group!(benches, stages, beside, time);
criterion_main!(benches);
