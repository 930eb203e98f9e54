//! What a run works on: which rules over which inputs.

use std::path::PathBuf;
use std::sync::Arc;

use tripline::compile::CompileOptions;
use tripline::config::Input;
use tripline::io::source::STDIN;
use tripline::io::trust;
use tripline::plan::Ruleset;

use super::kafka;
use crate::cli::args::RunArgs;
use crate::cli::exit::Stop;
use crate::cli::number::counted;
use crate::cli::paths::rules_and_inputs;
use crate::cli::rules::{RuleTexts, accept, compile_texts, show};
use crate::cli::settings::Settings;
use crate::cli::terminal::{Terminal, note};
use crate::cli::threads::Threads;
use crate::cli::topology;

/// Rules and inputs, from the command line or else the configuration.
pub struct Chosen {
    /// Rule files and directories.
    pub rules: Vec<PathBuf>,
    /// Inputs.
    pub inputs: Vec<Input>,
}

/// Tells rules from inputs. What the command line does not name comes from the configuration; an input that nobody
/// names is stdin.
pub fn choose(args: &RunArgs, settings: &Settings) -> Result<Chosen, Stop> {
    let sorted = rules_and_inputs(&args.paths);
    let mut rules = sorted.rules;
    if rules.is_empty() && args.rule.is_empty() {
        rules = settings.config.rules.iter().map(|path| settings.path(path)).collect();
    }
    if rules.is_empty() && args.rule.is_empty() {
        return Err(Stop::usage(
            "no rules: name .trip files or directories of them, write a rule with --rule, or set `rules` in the \
             configuration",
        ));
    }
    let mut inputs = Vec::new();
    for path in sorted.others {
        let path = path.into_os_string().into_string();
        inputs
            .push(Input::file(path.map_err(|path| Stop::usage(format!("{}: the path is not UTF-8", path.display())))?));
    }
    for word in &args.listen {
        let mut input = Input::listening(word).map_err(|problem| Stop::usage(format!("--listen: {problem}")))?;
        let same = inputs.iter().filter(|other| other.is_live() && other.name.starts_with(&input.name)).count();
        if same > 0 {
            input.name = format!("{} {}", input.name, same + 1);
        }
        inputs.push(input);
    }
    for word in &args.kafka {
        inputs.push(Input::kafka(word).map_err(|problem| Stop::usage(format!("--kafka: {problem}")))?);
    }
    if inputs.is_empty() {
        inputs = settings.inputs()?;
    }
    if inputs.is_empty() {
        inputs.push(Input::file(STDIN));
    }
    let mut all = Vec::with_capacity(inputs.len());
    for input in inputs {
        match input.of_records().map_err(Stop::failed)? {
            Some(partitions) => all.extend(partitions),
            None => all.push(input),
        }
    }
    let inputs = kafka::expand(all, settings)?;
    for (at, input) in inputs.iter().enumerate() {
        if inputs[..at].iter().any(|other| other.name == input.name) {
            return Err(Stop::usage(format!("{} is named twice as an input", input.name)));
        }
    }
    if inputs.len() > usize::from(u16::MAX >> 1) {
        return Err(Stop::usage("at most 32,767 inputs can be read at once"));
    }
    Ok(Chosen { rules, inputs })
}

/// Whoever may write a rule can silence it. It is no more than said: on some file systems everything is open to all, and
/// rules send nothing anywhere.
fn warn_of_open(texts: &RuleTexts) {
    let open: Vec<_> = texts.paths.iter().flatten().filter(|path| trust::is_open_to_all(path)).collect();
    if let [first, more @ ..] = &open[..] {
        let more =
            if more.is_empty() { String::new() } else { format!(", with {},", counted(more.len(), "more file")) };
        note(&format!("warning: {}{more} {}\n", first.display(), trust::way_out(first)));
    }
}

/// Compiles the rules; with filters, those that they leave and the rules whose alerts these read. If processes share a
/// topic that is partitioned by some fields, rules that need several partitions are refused.
pub fn compile(
    args: &RunArgs,
    paths: &[PathBuf],
    settings: &Settings,
    by: Option<&[Vec<String>]>,
    terminal: Terminal,
) -> Result<Arc<Ruleset>, Stop> {
    let options = &settings.compile_options(&args.time);
    let threads = args.threads.or(settings.config.threads).map_or_else(Threads::default, |n| Threads::of(n.into()));
    let mut texts = RuleTexts::read(paths, threads)?;
    warn_of_open(&texts);
    for rule in &args.rule {
        texts.add_inline(rule);
    }
    let compiled = compile_texts(&texts, options);
    let ruleset = accept(&compiled, &texts.sources, terminal)?;
    if ruleset.rules.is_empty() {
        return Err(Stop::usage("no rules: the files declare none"));
    }
    let ruleset = match args.filter.choose(&compiled.files)? {
        None => ruleset,
        Some(chosen) => {
            let options = CompileOptions { only: Some(chosen.names), silent: chosen.silent, ..options.clone() };
            compile_texts(&texts, &options).ruleset.ok_or_else(Stop::shown)?
        }
    };
    let problems = by.map(|by| topology::problems(&ruleset, &compiled.files, by)).unwrap_or_default();
    if problems.is_empty() {
        return Ok(ruleset);
    }
    show(&problems, &texts.sources, terminal);
    Err(Stop::shown())
}
