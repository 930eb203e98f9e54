//! `tripline check --sample`: reads sample events and holds the rules against them.

use std::path::Path;

use tripline::check::sample::{Sample, SampleReport};
use tripline::compile::CompileOptions;
use tripline::io::source::{BlockOptions, open};
use tripline::syntax::ast::File;
use tripline::syntax::source::{SourceId, SourceMap};

use super::exit::Stop;

/// Reads the whole sample. Lines that are no JSON objects are counted and passed over.
pub fn read(
    path: &Path,
    files: &[File],
    sources: &SourceMap,
    options: &CompileOptions,
) -> Result<(SampleReport, u64), Stop> {
    let files: Vec<(SourceId, File)> = sources.ids().zip(files.iter().cloned()).collect();
    let mut sample = Sample::new(&files, &options.type_field);
    let mut passed_over = 0;
    let mut input = open(&path.to_string_lossy(), BlockOptions::default()).map_err(Stop::failed)?;
    while let Some(block) = input.next_block().map_err(Stop::failed)? {
        for line in block.bytes.split(|b| *b == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
            match serde_json::from_slice::<serde_json::Value>(line) {
                Ok(event) if event.is_object() => sample.event(&event),
                _ => passed_over += 1,
            }
        }
    }
    Ok((sample.finish(), passed_over))
}
