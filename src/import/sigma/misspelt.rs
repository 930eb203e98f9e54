//! Fields that look misspelt. No event needs to have a field, so a slip in its name makes a rule that never fires.
//!
//! A field that one rule alone asks for is reported if it is one letter away from a field that many rules of its log
//! source ask for, or that events of Windows are known to have.

use std::collections::BTreeMap;

use super::model::{Detection, Document, Text};
use super::pipeline::builtin;
use crate::diag::Diagnostic;
use crate::diag::codes::sigma as codes;
use crate::syntax::source::SourceId;
use crate::syntax::spelling::slip;

/// Rules that ask for a field before it is taken for one that events have.
const MANY: usize = 10;

/// Shorter names are one letter away from too many others.
const SHORTEST: usize = 5;

/// The fields of rules about one log source.
#[derive(Default)]
struct Fields<'d> {
    windows: bool,
    /// By name: how many rules ask for it, and where one does.
    uses: BTreeMap<&'d str, (usize, &'d Text)>,
}

/// Reports fields that look misspelt.
pub(super) fn report(sources: &[(SourceId, Vec<Document>)], problems: &mut Vec<Diagnostic>) {
    let mut by_source: BTreeMap<[Option<&str>; 3], Fields<'_>> = BTreeMap::new();
    for document in sources.iter().flat_map(|(_, documents)| documents) {
        let Document::Detection(rule) = document else { continue };
        let source = &rule.logsource;
        let parts = [&source.product, &source.category, &source.service].map(|part| part.as_ref().map(Text::as_str));
        let fields = by_source.entry(parts).or_default();
        fields.windows = parts[0].is_some_and(|product| product.eq_ignore_ascii_case("windows"));
        for field in fields_of(&rule.detection) {
            fields.uses.entry(field.as_str()).or_insert((0, field)).0 += 1;
        }
    }
    for fields in by_source.values() {
        let known: Vec<&str> = if fields.windows { builtin::windows_fields().collect() } else { Vec::new() };
        let common = fields.uses.iter().filter(|(_, (rules, _))| *rules >= MANY).map(|(name, _)| *name);
        let known: Vec<&str> = known.into_iter().chain(common).collect();
        for (name, (rules, place)) in &fields.uses {
            if *rules > 1 || name.len() < SHORTEST || known.contains(name) {
                continue;
            }
            if let Some(near) = slip(name, known.iter().copied()) {
                let message =
                    format!("the field `{name}` is asked for here alone, and `{near}` is a field of such events");
                let report = Diagnostic::warning(codes::UNKNOWN_FIELD_HINT, message, place.span, "looks misspelt");
                problems.push(report.help(format!("did you mean `{near}`?")));
            }
        }
    }
}

/// The fields of a detection, each once.
fn fields_of(detection: &Detection) -> Vec<&Text> {
    let items = detection.selections.iter().flat_map(|selection| selection.tree.items());
    let mut fields: Vec<&Text> = items.filter_map(|item| item.field.as_ref()).collect();
    fields.sort_by(|a, b| (a.as_str(), a.span.start).cmp(&(b.as_str(), b.span.start)));
    fields.dedup_by(|a, b| a.as_str() == b.as_str());
    fields
}
