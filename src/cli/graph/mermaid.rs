//! A drawing as a Mermaid flow chart.

use std::fmt::Write;

use super::drawing::{Drawing, EdgeKind, NodeKind};

/// The text of the chart.
pub fn render(drawing: &Drawing) -> String {
    let mut out = format!("---\ntitle: {}\n---\nflowchart TD\n", serde_json::Value::from(drawing.title.as_str()));
    for (id, node) in drawing.nodes.iter().enumerate() {
        let label = escape(&node.label);
        let shape = match node.kind {
            NodeKind::Start => format!("((\"{label}\"))"),
            NodeKind::State => format!("(\"{label}\")"),
            NodeKind::Alert => format!("(((\"{label}\")))"),
            NodeKind::Abandoned => format!("[/\"{label}\"/]"),
        };
        push(&mut out, &format!("  s{id}{shape}"));
    }
    for edge in &drawing.edges {
        let arrow = match edge.kind {
            EdgeKind::Take => "-->",
            EdgeKind::Again => "-->",
            EdgeKind::Time => "==>",
            EdgeKind::Break => "-.->",
        };
        let label: Vec<String> = edge.label.iter().map(|line| escape(line)).collect();
        let label = if label.is_empty() { String::new() } else { format!("|\"{}\"|", label.join("<br/>")) };
        push(&mut out, &format!("  s{} {arrow}{label} s{}", edge.from, edge.to));
    }
    if !drawing.notes.is_empty() {
        let notes: Vec<String> = drawing.notes.iter().map(|note| escape(note)).collect();
        push(&mut out, &format!("  notes[\"{}\"]", notes.join("<br/>")));
        push(&mut out, "  style notes fill:none,stroke-dasharray:3");
    }
    out
}

fn push(out: &mut String, line: &str) {
    writeln!(out, "{line}").expect("a String takes any text");
}

/// Characters with a meaning in Mermaid or HTML, as entity codes.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '#' | '<' | '>' | '&' | '`' | ';' | '\\' | '|' | '{' | '}' => {
                write!(out, "#{};", u32::from(c)).expect("a String takes any text");
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
