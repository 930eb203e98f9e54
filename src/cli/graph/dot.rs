//! A drawing in the language of Graphviz.

use std::fmt::Write;

use super::drawing::{Drawing, EdgeKind, NodeKind};

/// The text of the graph.
pub fn render(drawing: &Drawing) -> String {
    let mut out = String::from("digraph rule {\n  rankdir=TB;\n  node [fontname=\"sans-serif\"];\n");
    out.push_str("  edge [fontname=\"monospace\", fontsize=10];\n");
    let mut caption = vec![drawing.title.clone()];
    caption.extend(drawing.notes.iter().cloned());
    push(&mut out, &format!("  label=\"{}\";", lines(&caption, "\\l")));
    for (id, node) in drawing.nodes.iter().enumerate() {
        let shape = match node.kind {
            NodeKind::Start => "circle",
            NodeKind::State => "box, style=rounded",
            NodeKind::Alert => "box, style=rounded, peripheries=2",
            NodeKind::Abandoned => "plaintext",
        };
        push(&mut out, &format!("  s{id} [label=\"{}\", shape={shape}];", escape(&node.label)));
    }
    for edge in &drawing.edges {
        let style = match edge.kind {
            EdgeKind::Take | EdgeKind::Again => "solid",
            EdgeKind::Time => "bold",
            EdgeKind::Break => "dashed",
        };
        let label = lines(&edge.label, "\\l");
        push(&mut out, &format!("  s{} -> s{} [label=\"{label}\", style={style}];", edge.from, edge.to));
    }
    out.push_str("}\n");
    out
}

fn push(out: &mut String, line: &str) {
    writeln!(out, "{line}").expect("a String takes any text");
}

fn lines(texts: &[String], end: &str) -> String {
    texts.iter().map(|text| format!("{}{end}", escape(text))).collect()
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
