//! `tripline attack`: the ATT&CK techniques that rules name in their tags, as a table or as a layer of the Navigator.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::json;
use tripline::base::{attack, visible};
use tripline::compile::CompileOptions;
use tripline::syntax::ast::{ClauseKind, RuleDecl};

use super::args::{AttackArgs, AttackFormat};
use super::exit::{Exit, Stop};
use super::number::counted;
use super::rules;
use super::terminal::{Terminal, note, paint, print, style};

/// Rules that a line of the table names.
const SHOWN: usize = 4;

/// Rules that a comment in a layer names.
const COMMENTED: usize = 20;

/// Names of rules by technique.
type Covered<'a> = BTreeMap<String, Vec<&'a str>>;

/// Runs the command.
pub fn run(args: &AttackArgs, options: &CompileOptions, terminal: Terminal) -> Result<Exit, Stop> {
    let selection = rules::select(&args.paths, &[], options, terminal)?;
    let chosen = args.filter.choose(&selection.files)?;
    let wanted = |rule: &&RuleDecl| {
        let name = &rule.name.name;
        chosen.as_ref().is_none_or(|chosen| chosen.names.contains(name) && !chosen.silent.contains(name))
    };
    let (mut covered, mut rules, mut without) = (Covered::new(), 0, 0);
    for rule in selection.rules().filter(wanted) {
        let mut techniques: Vec<String> = tags(rule).filter_map(attack::technique).collect();
        techniques.sort();
        techniques.dedup();
        rules += 1;
        without += usize::from(techniques.is_empty());
        for technique in techniques {
            covered.entry(technique).or_default().push(&rule.name.name);
        }
    }
    match args.format {
        AttackFormat::Text => print(&table(&covered, terminal.color_out))?,
        AttackFormat::Navigator => print(&layer(&covered, rules))?,
    }
    let untagged = if without == 0 { String::new() } else { format!("; {without} without one") };
    note(&format!("{} by {}{untagged}\n", counted(covered.len(), "technique"), counted(rules, "rule")));
    Ok(Exit::Done)
}

fn tags(rule: &RuleDecl) -> impl Iterator<Item = &str> {
    rule.clauses
        .iter()
        .flat_map(|clause| match &clause.kind {
            ClauseKind::Tags(tags) => tags.as_slice(),
            _ => &[],
        })
        .map(|tag| tag.value.as_str())
}

/// `T1110.001     2  brute_force, spray`
fn table(covered: &Covered<'_>, color: bool) -> String {
    let mut out = String::new();
    for (technique, rules) in covered {
        let more = rules.len().saturating_sub(SHOWN);
        let mut names: Vec<String> = rules.iter().take(SHOWN).map(|name| visible(name).into_owned()).collect();
        if more > 0 {
            names.push(format!("{more} more"));
        }
        let technique = paint(color, style::BOLD, &format!("{technique:<10}"));
        writeln!(out, "{technique} {:>5}  {}", rules.len(), names.join(", ")).expect("a String takes any text");
    }
    out
}

/// A layer: each technique scored by the number of its rules.
fn layer(covered: &Covered<'_>, rules: usize) -> String {
    let techniques: Vec<_> = covered
        .iter()
        .map(|(technique, rules)| {
            let mut comment = rules[..rules.len().min(COMMENTED)].join(", ");
            if rules.len() > COMMENTED {
                comment.push_str(&format!(" and {} more", rules.len() - COMMENTED));
            }
            json!({ "techniqueID": technique, "score": rules.len(), "comment": comment })
        })
        .collect();
    let most = covered.values().map(Vec::len).max().unwrap_or(0).max(2);
    let layer = json!({
        "name": "Tripline rules",
        "versions": { "navigator": "4.9.0", "layer": "4.5" },
        "domain": "enterprise-attack",
        "description": format!("{} by {}", counted(techniques.len(), "technique"), counted(rules, "rule")),
        "sorting": 3,
        "layout": { "layout": "side", "showID": true, "expandedSubtechniques": "annotated" },
        "techniques": techniques,
        "gradient": { "colors": ["#cfe8d5", "#1b7837"], "minValue": 1, "maxValue": most },
    });
    format!("{layer:#}\n")
}
