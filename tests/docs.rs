//! The documentation is true: every rule in it checks and its tests pass, every page that is linked exists, and what
//! it prints as the program's output is that.

#[path = "support/program.rs"]
mod program;

use std::fs;
use std::path::{Path, PathBuf};

use program::{root, tripline};

/// Forms that docs/language.md must show in an example that is run, not only in a table.
const FORMS: &[&str] = &[
    "event ",
    "let ",
    "table ",
    "rule ",
    "test ",
    "any where",
    "alert.probe",
    "@ts",
    "`user-agent`",
    "severity",
    "risk",
    "tags",
    "description",
    "runbook",
    "id",
    "status",
    "false_positives",
    "author",
    "references",
    " by ",
    "within",
    "having",
    "pick first",
    "pick each",
    "pick all",
    "pick pending",
    "after match skip to next",
    "after match no skip",
    "after match skip to last y",
    "fewer than 2 of",
    "until o.@ts +",
    "then within q.hours * 1h",
    "cancel on",
    "alert {",
    "suppress",
    "enabled",
    "shadow",
    "internal",
    "resolve on",
    "resolve when",
    "repeat every",
    "unless open alert.",
    " if q: ",
    "expect resolved",
    "clock six = daily",
    "= weekly",
    "= weekdays",
    "= every 15m",
    "expect sku from @",
    "expect start",
    "limits",
    "then directly",
    "then next",
    "then after 2s within 10s",
    "(a or b)",
    "at least",
    "exactly",
    "2..3 of",
    "one or more of",
    "optional",
    "distinct",
    "consecutive",
    "until",
    "until silent 30m",
    "until 5m",
    "prev.",
    "then no",
    "without",
    "unless",
    "in last",
    " if ",
    "all {",
    "any {",
    "at least 3 of {",
    "first(",
    "last(",
    "count(distinct",
    "min(",
    "max(",
    "sum(",
    "avg(",
    "stddev(",
    "median(",
    "list(",
    "exists(",
    "if(",
    "len(",
    "lower(",
    "upper(",
    "trim(",
    "concat(",
    "split(",
    "substring(",
    "replace(",
    "starts_with(",
    "ends_with(",
    "contains(",
    "number(",
    "string(",
    "cidr(",
    "abs(",
    "floor(",
    "ceil(",
    "sqrt(",
    "log(",
    "round(",
    "year(",
    "month(",
    "day(",
    "hour(",
    "minute(",
    "weekday(",
    "workday(",
    "\"Europe/Berlin\"",
    "any_value()",
    "some(",
    "unique(",
    "extract(",
    "distance_km(",
    "in_polygon(",
    "entropy(",
    "hash(",
    "zscore(",
    "mean(",
    "4 events",
    "ewma(",
    "rate(",
    "prior(",
    ", ever",
    "within 10 events",
    "for 10m",
    " in @",
    " not in @",
    "@reorder[",
    "key polygon",
    "(lat, lon) in @",
    "by each(",
    "nth(",
    "percentile(",
    "count((",
    " like ",
    " =~ ",
    " ?? ",
    " not ",
    "x 5",
    "every",
    "expect alert at",
    "expect no alert",
    "alerts",
    "stop",
];

struct Block {
    page: PathBuf,
    line: usize,
    info: String,
    text: String,
}

/// The fenced blocks of a page.
fn blocks(page: &Path) -> Vec<Block> {
    let text = fs::read_to_string(page).expect("a page is readable");
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for (n, line) in text.lines().enumerate() {
        match (&mut open, line.trim_start().strip_prefix("```")) {
            (None, Some(info)) => {
                let info = info.trim().to_owned();
                open = Some(Block { page: page.to_owned(), line: n + 1, info, text: String::new() });
            }
            (Some(_), Some("")) => found.extend(open.take()),
            (Some(block), _) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{} ends inside a fenced block", page.display());
    found
}

/// The read-me and every page below docs and rules.
fn pages() -> Vec<PathBuf> {
    let mut pages = vec![root().join("README.md"), root().join("rules/README.md")];
    let mut docs: Vec<PathBuf> = fs::read_dir(root().join("docs"))
        .expect("docs")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .collect();
    docs.sort();
    pages.append(&mut docs);
    pages
}

#[test]
fn rules_in_the_documentation_check_and_their_tests_pass() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("docs");
    let tables = folder.join("tables");
    fs::create_dir_all(&tables).expect("a folder for the examples");
    for (from, name) in [
        ("rules/siem/tables/vpn.csv", "vpn.csv"),
        ("rules/inventory/tables/reorder.csv", "reorder.csv"),
        ("tests/support/zones.geojson", "zones.geojson"),
    ] {
        fs::copy(root().join(from), tables.join(name)).expect("the tables of the packs");
    }
    let mut failures = String::new();
    let mut count = 0;
    for block in
        pages().iter().flat_map(|page| blocks(page)).filter(|block| block.info.split(' ').next() == Some("trip"))
    {
        count += 1;
        let file = folder.join(format!("{}-{}.trip", block.page.file_stem().unwrap_or_default().display(), block.line));
        fs::write(&file, &block.text).expect("an example is writable");
        for command in ["check", "test"] {
            if command == "test" && !block.text.lines().any(|line| line.starts_with("test ")) {
                continue;
            }
            let run = tripline([command.as_ref(), file.as_os_str()]);
            if !run.success {
                let page = block.page.display();
                failures
                    .push_str(&format!("{page}:{}: tripline {command}\n{}{}\n", block.line, run.stdout, run.stderr));
                break;
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
    assert!(count >= 15, "only {count} examples found");
}

#[test]
fn every_form_of_the_language_has_an_example() {
    let mut examples = String::new();
    for block in blocks(&root().join("docs/language.md")) {
        if block.info.starts_with("trip") {
            examples.push_str(&block.text);
        }
    }
    let missing: Vec<&&str> = FORMS.iter().filter(|form| !examples.contains(**form)).collect();
    assert!(missing.is_empty(), "docs/language.md shows no example of {missing:?}");
}

#[test]
fn links_lead_to_files_and_headings() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page).expect("a page is readable");
        for target in links(&text) {
            if target.contains("://") {
                continue;
            }
            let (path, heading) = target.split_once('#').unwrap_or((&target, ""));
            let file = if path.is_empty() { page.clone() } else { page.with_file_name("").join(path) };
            let found = file.exists()
                && (heading.is_empty()
                    || headings(&fs::read_to_string(&file).unwrap_or_default()).iter().any(|h| h == heading));
            if !found {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The targets of `[text](target)`.
fn links(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("](") {
        rest = &rest[at + 2..];
        if let Some(end) = rest.find(')') {
            found.push(rest[..end].to_owned());
        }
    }
    found
}

/// The anchors of a page's headings.
fn headings(text: &str) -> Vec<String> {
    let heads = text.lines().filter(|line| line.starts_with('#'));
    heads
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            title
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                .collect::<String>()
                .replace(' ', "-")
        })
        .collect()
}

/// Holds a block of the read-me against what the program printed.
fn same(printed: &Block, shown: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let text = fs::read_to_string(&printed.page).expect("README.md");
        fs::write(&printed.page, text.replace(&printed.text, shown)).expect("README.md is writable");
        return;
    }
    assert_eq!(
        shown.trim_end(),
        printed.text.trim_end(),
        "README.md prints something else; UPDATE_GOLDEN=1 rewrites it"
    );
}

/// The read-me's first rule gives the alert over the sample that it prints, and with two slips the findings.
fn the_error_in_the_read_me_is_real() {
    let page = root().join("README.md");
    let all = blocks(&page);
    let first = all.iter().find(|block| block.text.starts_with("rule errors_without_end")).expect("the first rule");
    let printed =
        all.iter().find(|block| block.info == "text" && block.text.contains("first.trip")).expect("the findings");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("readme");
    fs::create_dir_all(&folder).expect("a folder for the example");
    fs::write(folder.join("first.trip"), &first.text).expect("the example is writable");
    let (rule, sample) = (folder.join("first.trip"), root().join("rules/samples/demo.ndjson"));
    let arguments = [rule.as_os_str(), sample.as_os_str()];
    let run = tripline(["run", "--quiet", "--output", "pretty"].map(std::ffi::OsStr::new).into_iter().chain(arguments));
    let alert = all.iter().find(|block| block.info == "text" && block.text.contains("MEDIUM   errors_without_end"));
    same(alert.expect("the alert"), &run.stdout);
    let wrong = first.text.replacen("{service}", "{servise}", 1).replacen("count(bad)", "cuont(bad)", 1);
    fs::write(folder.join("first.trip"), wrong).expect("the example is writable");
    let run = tripline([std::ffi::OsStr::new("check"), folder.join("first.trip").as_os_str()]);
    let shown = format!("{}{}", run.stdout, run.stderr).replace(&format!("{}/", folder.display()), "");
    same(printed, &shown);
    assert!(!run.success);
}

/// The picture of the modules stays true.
#[test]
fn the_architecture_names_every_module() {
    let page = fs::read_to_string(root().join("docs/architecture.md")).expect("docs/architecture.md");
    for entry in fs::read_dir(root().join("src")).expect("src").flatten() {
        let name = entry.file_name().display().to_string();
        if entry.path().is_dir() {
            assert!(page.contains(&format!("| `src/{name}` |")), "docs/architecture.md does not name src/{name}");
        }
    }
}

/// The two tests that may rewrite the read-me are one, so that they never do it at the same time.
#[test]
fn the_output_in_the_read_me_is_real() {
    the_error_in_the_read_me_is_real();
    the_alert_in_the_read_me_is_real();
}

fn the_alert_in_the_read_me_is_real() {
    let all = blocks(&root().join("README.md"));
    let printed = all.iter().find(|block| block.info == "text" && block.text.contains(" HIGH ")).expect("an alert");
    let options = ["--only", "brute_force_success", "--output", "pretty", "--quiet"];
    let run = tripline(["run", "rules", "rules/samples/demo.ndjson"].into_iter().chain(options));
    same(printed, &format!("{}\n", run.stdout.trim_end()));
}

/// Every command and every flag that the program knows is on the page about the command line.
#[test]
fn the_page_on_the_command_line_names_every_flag() {
    let page = fs::read_to_string(root().join("docs/cli.md")).expect("docs/cli.md");
    let mut missing = Vec::new();
    for command in ["run", "check", "test", "fmt", "explain", "graph", "rule", "completions"] {
        assert!(page.contains(&format!("tripline {command}")), "docs/cli.md does not show tripline {command}");
        let help = tripline([command, "--help"]).stdout;
        let flags = help.lines().filter_map(|line| line.trim_start().strip_prefix('-').map(|_| line.trim_start()));
        for flag in flags.flat_map(|line| line.split([' ', ',', '=', '['])).filter(|word| word.starts_with("--")) {
            if !["--help", "--version"].contains(&flag) && !page.contains(flag) {
                missing.push(format!("{command} {flag}"));
            }
        }
    }
    assert!(missing.is_empty(), "docs/cli.md does not name {missing:?}");
}

/// The configuration that is shown is valid, and the limits are those of the library.
#[test]
fn the_page_on_configuration_is_true() {
    let path = root().join("docs/configuration.md");
    let yaml = blocks(&path).into_iter().find(|block| block.info == "yaml").expect("an example").text;
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tripline.yaml");
    fs::write(&file, yaml).expect("the example is writable");
    let run = tripline(["check".as_ref(), "--config".as_ref(), file.as_os_str(), "rules".as_ref()]);
    assert!(run.success, "{}{}", run.stdout, run.stderr);
    let page = fs::read_to_string(&path).expect("docs/configuration.md");
    let limits = serde_json::to_value(tripline::base::Limits::default()).expect("limits are plain numbers");
    for (name, value) in limits.as_object().expect("limits are named") {
        // The library has no cap on memory; the program asks the machine.
        let value = if value.is_null() { "half of what there is".to_owned() } else { value.to_string() };
        assert!(page.contains(&format!("| `{name}` | {value} |")), "docs/configuration.md: `{name}` is {value}");
    }
}
