//! A compact form of syntax trees for golden files and comparisons: the `Debug` output without spans, as
//! indented s-expressions.

use std::fmt::Debug;

/// What `Debug` output consists of.
enum Node {
    Atom(String),
    List(Vec<Node>),
    /// A name with fields; unnamed ones have an empty name.
    Named(String, Vec<(String, Node)>),
}

/// The compact form of a tree.
pub fn dump(tree: &impl Debug) -> String {
    let text = format!("{tree:?}");
    let mut reader = Reader { text: &text, at: 0 };
    let node = simplified(reader.value());
    let mut out = String::new();
    write(&node, 0, &mut out);
    out.push('\n');
    out
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn skip(&mut self, token: &str) -> bool {
        let rest = &self.text[self.at..];
        let found = rest.trim_start().starts_with(token);
        if found {
            self.at += rest.len() - rest.trim_start().len() + token.len();
        }
        found
    }

    fn value(&mut self) -> Node {
        if self.skip("[") {
            let mut items = Vec::new();
            while !self.skip("]") {
                items.push(self.value());
                self.skip(",");
            }
            return Node::List(items);
        }
        if self.skip("(") {
            return Node::Named("tuple".to_owned(), self.unnamed());
        }
        let rest = self.text[self.at..].trim_start();
        self.at = self.text.len() - rest.len();
        if let Some(inner) = rest.strip_prefix('"') {
            let mut escaped = false;
            let end = inner.find(|c| {
                let ends = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                ends
            });
            let end = end.expect("a string ends") + 2;
            self.at += end;
            return Node::Atom(rest[..end].to_owned());
        }
        let end = rest.find([' ', ',', ')', ']', '}', '(', '{']).unwrap_or(rest.len());
        let name = rest[..end].to_owned();
        self.at += end;
        if self.text[self.at..].starts_with('(') {
            self.at += 1;
            return Node::Named(name, self.unnamed());
        }
        if self.text[self.at..].starts_with(" {") {
            self.at += 2;
            let mut fields = Vec::new();
            while !self.skip("}") {
                let rest = self.text[self.at..].trim_start();
                let colon = rest.find(':').expect("a field has a name");
                let field = rest[..colon].to_owned();
                self.at = self.text.len() - rest.len() + colon + 1;
                fields.push((field, self.value()));
                self.skip(",");
            }
            return Node::Named(name, fields);
        }
        Node::Atom(name)
    }

    fn unnamed(&mut self) -> Vec<(String, Node)> {
        let mut items = Vec::new();
        while !self.skip(")") {
            items.push((String::new(), self.value()));
            self.skip(",");
        }
        items
    }
}

/// Without spans and what is empty, with names and paths as they are written.
fn simplified(node: Node) -> Node {
    match node {
        Node::Atom(_) => node,
        Node::List(items) => Node::List(items.into_iter().map(simplified).collect()),
        Node::Named(name, fields) => {
            let mut fields: Vec<(String, Node)> =
                fields.into_iter().filter(|(f, _)| f != "span").map(|(f, n)| (f, simplified(n))).collect();
            match name.as_str() {
                "Ident" | "Expr" | "Path" | "Some" if fields.len() == 1 => {
                    let only = fields.remove(0).1;
                    match (name.as_str(), only) {
                        ("Ident", Node::Atom(text)) => Node::Atom(text.trim_matches('"').to_owned()),
                        ("Path", Node::List(parts)) => {
                            let parts: Vec<String> = parts
                                .iter()
                                .map(|p| if let Node::Atom(t) = p { t.clone() } else { String::new() })
                                .collect();
                            Node::Atom(parts.join("/"))
                        }
                        (_, only) => only,
                    }
                }
                _ => {
                    fields.retain(|(f, n)| match n {
                        Node::Atom(text) => f.is_empty() || text != "None" && text != "false",
                        Node::List(items) => f.is_empty() || !items.is_empty(),
                        Node::Named(..) => true,
                    });
                    Node::Named(name, fields)
                }
            }
        }
    }
}

fn flat(node: &Node) -> String {
    let mut out = String::new();
    match node {
        Node::Atom(text) => out.push_str(text),
        Node::List(items) => {
            let items: Vec<String> = items.iter().map(flat).collect();
            out = format!("[{}]", items.join(" "));
        }
        Node::Named(name, fields) => {
            out.push('(');
            out.push_str(name);
            for (field, value) in fields {
                out.push(' ');
                if !field.is_empty() {
                    out.push_str(field);
                    out.push('=');
                }
                out.push_str(&flat(value));
            }
            out.push(')');
        }
    }
    out
}

fn write(node: &Node, indent: usize, out: &mut String) {
    let line = flat(node);
    if indent + line.len() <= 110 {
        out.push_str(&line);
        return;
    }
    let new_line = |out: &mut String| {
        out.push('\n');
        out.push_str(&" ".repeat(indent + 2));
    };
    match node {
        Node::Atom(text) => out.push_str(text),
        Node::List(items) => {
            out.push('[');
            for item in items {
                new_line(out);
                write(item, indent + 2, out);
            }
            out.push(']');
        }
        Node::Named(name, fields) => {
            out.push('(');
            out.push_str(name);
            for (field, value) in fields {
                new_line(out);
                if !field.is_empty() {
                    out.push_str(field);
                    out.push('=');
                }
                write(value, indent + 2, out);
            }
            out.push(')');
        }
    }
}
