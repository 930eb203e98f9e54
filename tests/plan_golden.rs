//! Golden texts of the stages after the syntax tree: the automaton as a graph, and the plan as `explain` tells it.
//! `UPDATE_GOLDEN=1 cargo test --test plan_golden` writes them anew.

#[path = "support/program.rs"]
mod program;

use std::fs;

use program::{root, tripline};

fn held(file: &str, arguments: &[&str]) {
    let run = tripline(arguments);
    assert!(run.success, "{}", run.stderr);
    let path = root().join("tests/ui/plan").join(file);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, &run.stdout).expect("the golden file can be written");
    }
    let wanted = fs::read_to_string(&path).expect("the golden file; UPDATE_GOLDEN=1 writes it");
    assert_eq!(run.stdout, wanted, "{file} does not hold; with UPDATE_GOLDEN=1 it is written anew");
}

const RULES: &str = "tests/ui/plan/strategies.trip";

#[test]
fn the_automaton_holds() {
    held("strategies.automaton", &["graph", RULES]);
}

#[test]
fn the_plan_holds() {
    held("strategies.plan", &["explain", RULES, "--plan"]);
}
