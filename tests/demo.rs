//! The sample beside the shipped rules is what its generator makes.

#[path = "demo/generator.rs"]
mod generator;

use std::fs;
use std::path::Path;

#[test]
fn the_committed_sample_is_what_the_generator_makes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/samples/demo.ndjson");
    let made = generator::demo();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &made).expect("the sample is writable");
    }
    let kept = fs::read_to_string(&path).expect("rules/samples/demo.ndjson is in the repository");
    assert!(made == kept, "rules/samples/demo.ndjson differs from its generator; UPDATE_GOLDEN=1 rewrites it");
    assert!(made.len() <= 300 * 1024, "the sample has grown to {} bytes", made.len());
}
