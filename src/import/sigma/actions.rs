//! Documents that change others of their file: `action: global`, `reset` and `repeat`.
//!
//! What a global document says holds for every later document of the file that does not say otherwise. Maps are
//! merged key by key, lists and single values are replaced as a whole. Spans stay where the text stands.

use super::model::Text;
use super::read::Reader;
use super::yaml::{Document, Entry, Node, NodeKind};
use crate::diag::Diagnostic;
use crate::diag::codes::sigma as codes;

/// The documents of one file after their actions were carried out; those that only act are left out.
pub fn carry_out(documents: Vec<Document>, problems: &mut Vec<Diagnostic>) -> Vec<Document> {
    let (mut global, mut last): (Option<Document>, Option<Document>) = (None, None);
    let mut rules = Vec::new();
    for mut document in documents {
        match take_action(&mut document.node) {
            None => {
                let rule = over(global.as_ref(), document);
                last = Some(rule.clone());
                rules.push(rule);
            }
            Some(action) => match action.as_str() {
                "global" => global = Some(over(global.as_ref(), document)),
                "reset" => (global, last) = (None, None),
                "repeat" if last.is_some() => {
                    let rule = over(last.as_ref(), document);
                    last = Some(rule.clone());
                    rules.push(rule);
                }
                other => {
                    let message = if other == "repeat" {
                        "there is no rule before it to repeat".to_owned()
                    } else {
                        format!("`{other}` is no action")
                    };
                    problems.push(
                        Diagnostic::error(codes::WRONG_PART, message, action.span, "here")
                            .note("the document is not read")
                            .help("the actions are `global`, `repeat` and `reset`; a rule of its own has none"),
                    );
                }
            },
        }
    }
    rules
}

/// Removes `action` from a document. `correlation`, an older spelling, says nothing that the document does not.
fn take_action(node: &mut Node) -> Option<Text> {
    let NodeKind::Map(entries) = &mut node.kind else { return None };
    let at = entries.iter().position(|entry| entry.key.as_str() == "action")?;
    let action = Reader::scalar_text(&entries.remove(at).value)?;
    (action.as_str() != "correlation").then_some(action)
}

fn over(base: Option<&Document>, document: Document) -> Document {
    let Some(base) = base else { return document };
    let broken = base.broken || document.broken;
    Document { node: merged(&base.node, document.node), broken }
}

/// `node` with what `base` says besides.
fn merged(base: &Node, node: Node) -> Node {
    match (&base.kind, node.kind) {
        (NodeKind::Map(below), NodeKind::Map(mut entries)) => {
            for Entry { key, value } in below {
                match entries.iter_mut().find(|entry| entry.key.value == key.value) {
                    Some(entry) => {
                        let own = std::mem::replace(&mut entry.value, value.clone());
                        entry.value = merged(value, own);
                    }
                    None => entries.push(Entry { key: key.clone(), value: value.clone() }),
                }
            }
            Node { kind: NodeKind::Map(entries), span: node.span }
        }
        (_, kind) => Node { kind, span: node.span },
    }
}
