//! `tripline flink package`: rules, the native library and the operators in one jar that Flink runs.
#![expect(clippy::disallowed_methods, reason = "the parts of the jar are read, and the jar is written, here")]

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use tripline::alert::Evidence;
use tripline::compile::{Compiled, compile};
use tripline::config::Choice;
use tripline::decode::OnMissing;
use tripline::host::bundle::{Bundle, RuleText, Settings as HostSettings};
use tripline::session::AtEnd;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::args::{FlinkArgs, FlinkWhat, PackageArgs};
use super::exit::{Exit, Stop};
use super::number::counted;
use super::rules::{RuleTexts, accept};
use super::settings::Settings;
use super::terminal::{Terminal, note};
use super::threads::Threads;

/// Where the job finds the rules in its jar, and the library.
const BUNDLE: &str = "tripline/rules.json";
const LIBRARY: &str = "tripline/libtripline.so";

/// Runs the command.
pub fn run(args: &FlinkArgs, settings: &Settings, terminal: Terminal) -> Result<Exit, Stop> {
    match &args.what {
        FlinkWhat::Package(args) => package(args, settings, terminal),
    }
}

fn package(args: &PackageArgs, settings: &Settings, terminal: Terminal) -> Result<Exit, Stop> {
    let texts = RuleTexts::read(&args.paths, Threads::default())?;
    let (compiled, tables) = compile_with_tables(&texts, args, settings);
    let ruleset = accept(&compiled, &texts.sources, terminal)?;
    let rules = texts.sources.ids().map(|id| texts.sources.get(id));
    let rules = rules.map(|source| RuleText { name: source.name.clone(), text: source.text.clone() });
    let bundle = Bundle::new(rules.collect(), host_settings(args, settings), &tables);
    // What the job will do first: an error is better seen now.
    bundle.open().map_err(Stop::usage)?;
    let bundle = bundle.to_bytes();
    let output = &args.output;
    let failed =
        |error: &dyn std::fmt::Display| Stop::failed(format!("{}: cannot be written: {error}", output.display()));
    if output.extension().is_some_and(|ending| ending == "json") {
        fs::write(output, &bundle).map_err(|error| failed(&error))?;
    } else {
        let library = read(&args.library, "build it: cargo rustc --release --lib --crate-type cdylib --features jni")?;
        let operators = open(&args.operators, "build them: mvn -f flink/pom.xml package")?;
        let mut operators = ZipArchive::new(BufReader::new(operators))
            .map_err(|error| Stop::failed(format!("{}: is no jar: {error}", args.operators.display())))?;
        write_jar(output, &mut operators, &[(BUNDLE, &bundle), (LIBRARY, &library)]).map_err(|error| failed(&error))?;
    }
    let (rules, tables) = (counted(ruleset.rules.len(), "rule"), counted(tables.len(), "table"));
    note(&format!("{}: {rules}, {tables}\n", output.display()));
    Ok(Exit::Done)
}

/// A table as a rule file names it: the place of the file, the path, the bytes.
type NamedTable = (usize, String, Vec<u8>);

fn compile_with_tables(texts: &RuleTexts, args: &PackageArgs, settings: &Settings) -> (Compiled, Vec<NamedTable>) {
    let tables = RefCell::new(Vec::new());
    let compiled = compile(&texts.sources, &settings.compile_options(&args.time), &|written, source| {
        let at = source.0 as usize;
        let base = texts.paths.get(at).and_then(Option::as_deref).and_then(Path::parent);
        let path = base.unwrap_or(Path::new("")).join(written);
        let bytes = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        tables.borrow_mut().push((at, written.to_owned(), bytes.clone()));
        Ok(bytes)
    });
    let mut tables = tables.into_inner();
    tables.sort();
    tables.dedup();
    (compiled, tables)
}

fn host_settings(args: &PackageArgs, settings: &Settings) -> HostSettings {
    let default = HostSettings::default();
    let time = settings.time_config(&args.time);
    let lateness = args.lateness.or(settings.config.lateness).unwrap_or_default();
    let at_end = args.at_end.or(settings.config.at_end).unwrap_or_default();
    let evidence = args.evidence.or(settings.config.evidence).unwrap_or_default();
    let word = Evidence::WORDS.iter().find(|(_, meant)| *meant == evidence);
    HostSettings {
        type_field: settings.type_field(&args.time),
        time_fields: time.fields,
        time_format: time.format.as_text().to_owned(),
        reject_untimed: time.on_missing == OnMissing::Reject,
        lateness_ms: lateness.0.div_euclid(1_000_000),
        evidence: word.map_or(default.evidence, |(word, _)| (*word).to_owned()),
        flush_at_end: at_end == AtEnd::Flush,
        format: args.format.as_str().to_owned(),
        inputs: args.input_name.clone(),
        fail_in: None,
        import: settings.host_import(),
    }
}

fn open(path: &Path, way_out: &str) -> Result<File, Stop> {
    File::open(path).map_err(|error| Stop::usage(format!("{}: cannot be read: {error}; {way_out}", path.display())))
}

fn read(path: &Path, way_out: &str) -> Result<Vec<u8>, Stop> {
    fs::read(path).map_err(|error| Stop::usage(format!("{}: cannot be read: {error}; {way_out}", path.display())))
}

/// Writes a jar with all that another has, and more.
fn write_jar(
    path: &PathBuf,
    base: &mut ZipArchive<BufReader<File>>,
    more: &[(&str, &[u8])],
) -> zip::result::ZipResult<()> {
    let mut jar = ZipWriter::new(BufWriter::new(File::create(path)?));
    for at in 0..base.len() {
        let entry = base.by_index_raw(at)?;
        let replaced = entry.name().is_ok_and(|own| more.iter().any(|(name, _)| own == *name));
        if !replaced {
            jar.raw_copy_file(entry)?;
        }
    }
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, bytes) in more {
        jar.start_file(*name, options)?;
        jar.write_all(bytes)?;
    }
    jar.finish()?.flush()?;
    Ok(())
}
