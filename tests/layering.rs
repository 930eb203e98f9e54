//! Imports run one way: every `crate::…` path in `src/` is held against the table of layers.
//!
//! A file may use its own and lower layers. The binary (`main.rs`, `cli/`) uses the library as any user does, by
//! `tripline::…`, so its `crate::` paths stay within `cli`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of the library from the bottom up. Modules of one row may use each other.
const LAYERS: &[&[&str]] = &[
    &["base"],
    &["syntax", "diag"],
    &["import"],
    &["check"],
    &["plan"],
    &["compile", "decode"],
    &["matcher", "time", "alert"],
    &["session"],
    &["generate", "host"],
    &["engine", "jni"],
    &["io"],
    &["config"],
];

/// Rows that a module must not reach although they lie below it.
const HIDDEN: &[(&str, &[&str])] = &[
    ("decode", &["syntax", "diag", "check", "compile"]),
    ("matcher", &["syntax", "diag", "check", "compile"]),
    ("time", &["syntax", "diag", "check", "plan", "compile"]),
    ("alert", &["syntax", "diag", "check", "compile"]),
];

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("src can be read") {
        let path = entry.expect("an entry of src").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|row| row.contains(&module))
}

/// The first parts of all paths that start with `root`, with their line; `root{a, b}` gives both.
fn uses(text: &str, root: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut offset = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let code = line.split("//").next().unwrap_or("");
        let mut at = 0;
        while let Some(n) = code[at..].find(root) {
            let start = at + n;
            at = start + root.len();
            let before = code[..start].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
                continue;
            }
            let rest = &text[offset + at..];
            let names = rest.strip_prefix('{').map_or_else(|| vec![first_word(rest)], braces);
            found.extend(names.into_iter().map(|name| (number + 1, name)));
        }
        offset += line.len();
    }
    found
}

fn first_word(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The first words of the items of a brace list, up to its closing brace.
fn braces(list: &str) -> Vec<String> {
    let (mut depth, mut item, mut items) = (0, String::new(), Vec::new());
    for c in list.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => items.push(std::mem::take(&mut item)),
            _ => item.push(c),
        }
    }
    items.push(item);
    items.iter().map(|item| first_word(item)).filter(|word| !word.is_empty()).collect()
}

/// Files of `src/` by the module they belong to; `main.rs` is of `cli`.
fn modules() -> BTreeMap<String, Vec<PathBuf>> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    let mut modules: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for file in files {
        let relative = file.strip_prefix(&src).expect("a file of src");
        let first = relative.components().next().expect("a path").as_os_str().to_string_lossy();
        let module = first.trim_end_matches(".rs");
        let module = if module == "main" { "cli" } else { module };
        modules.entry(module.to_owned()).or_default().push(file);
    }
    modules
}

#[test]
fn library_modules_use_only_lower_layers() {
    let mut wrong = Vec::new();
    for (module, files) in modules() {
        if module == "lib" || module == "cli" {
            continue;
        }
        let Some(own) = layer(&module) else {
            wrong.push(format!("module `{module}` has no place in the table of tests/layering.rs"));
            continue;
        };
        let hidden = HIDDEN.iter().find(|(name, _)| *name == module).map_or(&[][..], |(_, hidden)| *hidden);
        for file in files {
            let text = fs::read_to_string(&file).expect("a source file");
            for (line, used) in uses(&text, "crate::") {
                let Some(other) = layer(&used) else { continue };
                if other > own || hidden.contains(&used.as_str()) {
                    wrong.push(format!("{}:{line}: `{module}` uses `{used}`, which it must not know", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "imports that run upwards:\n{}", wrong.join("\n"));
}

#[test]
fn the_binary_uses_the_library_from_outside() {
    let mut wrong = Vec::new();
    for (module, files) in modules() {
        for file in files {
            let text = fs::read_to_string(&file).expect("a source file");
            for (line, used) in uses(&text, "crate::") {
                if module == "cli" && used != "cli" {
                    wrong.push(format!("{}:{line}: `crate::{used}`; write `tripline::{used}`", file.display()));
                }
                if module != "cli" && used == "cli" {
                    wrong.push(format!("{}:{line}: the library uses the command line", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_reader_of_imports_sees_every_form() {
    let text = "use crate::base::Value;\n// use crate::no::x;\nuse crate::{\n    plan::{A, B},\n    time,\n};\n\
                let x = crate::alert::y();\nuse mycrate::z;\n";
    let names: Vec<_> = uses(text, "crate::").into_iter().map(|(line, name)| format!("{line} {name}")).collect();
    assert_eq!(names, ["1 base", "3 plan", "3 time", "7 alert"]);
}
