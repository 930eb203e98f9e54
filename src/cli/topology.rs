//! Which rules a group of processes can share: what `check --topology` says, and why a run refuses the others.

use tripline::config::{Origin, field_path};
use tripline::diag::Diagnostic;
use tripline::diag::codes::config::NOT_BY_PARTITION;
use tripline::plan::Ruleset;
use tripline::plan::topology::unfit;
use tripline::syntax::ast::{ClauseKind, File};

use super::exit::Stop;
use super::number::counted;
use super::rules::declared_rules;
use super::settings::Settings;

/// The ways out for a rule that does not fit.
const WAYS_OUT: &str = "write the events to a topic that is partitioned by the rule's key and read that; or run one \
                        process, which reads all partitions, without `partition_by`; or run the rules inside Flink, \
                        which moves events between its tasks by their keys";

/// The fields that are meant: those named, else those of the input that is configured to be shared.
pub fn fields(named: &[String], settings: &Settings) -> Result<Vec<Vec<String>>, Stop> {
    if !named.is_empty() {
        return Ok(named.iter().map(|name| field_path(name)).collect());
    }
    let mut shared = settings.config.inputs.iter().filter_map(|input| match &input.origin {
        Origin::Kafka { kafka, .. } => kafka.sharing.as_ref(),
        _ => None,
    });
    shared.next().map(|sharing| sharing.fields.clone()).ok_or_else(|| {
        Stop::usage("--topology: no input has `partition_by`; name the fields, as in --topology=source.ip")
    })
}

/// What is to be said of each rule that does not fit.
pub fn problems(rules: &Ruleset, files: &[File], by: &[Vec<String>]) -> Vec<Diagnostic> {
    let named = list(by);
    let problem = |(rule, why): (&tripline::plan::Rule, _)| {
        let declared = declared_rules(files).find(|declared| *declared.name.name == *rule.name)?;
        let key = declared.clauses.iter().find(|clause| matches!(clause.kind, ClauseKind::By(_)));
        let message = format!("rule {} does not follow the partitions of a topic by {named}: {why}", rule.name);
        let (span, label) = key.map_or((declared.name.span, "no key for all steps"), |key| (key.span, "its key"));
        let consequence = "each process of a group sees some partitions only: it would miss matches, or say them twice";
        Some(Diagnostic::error(NOT_BY_PARTITION, message, span, label).note(consequence).help(WAYS_OUT))
    };
    unfit(rules, by).into_iter().filter_map(problem).collect()
}

/// How many rules fit, in a sentence.
pub fn verdict(rules: &Ruleset, unfit: usize, by: &[Vec<String>]) -> String {
    let all = rules.rules.iter().filter(|rule| rule.enabled).count();
    let fit = all - unfit;
    let verb = if fit == 1 { "follows" } else { "follow" };
    format!("{} of {} {verb} a topic that is partitioned by {}\n", fit, counted(all, "rule"), list(by))
}

fn list(by: &[Vec<String>]) -> String {
    by.iter().map(|path| format!("`{}`", path.join("."))).collect::<Vec<_>>().join(", ")
}
