//! Negations that skip events without the field: `user != "root"` is missing, not true, if there is no user.
//!
//! Not reported where the condition needs the field anyway, by `exists` or by another comparison.

use crate::base::Value;
use crate::check::Checker;
use crate::check::fold::fold;
use crate::check::model::{conjuncts, path_text};
use crate::check::names::Names;
use crate::check::predicate::required_fields;
use crate::check::scope::Scope;
use crate::check::walk;
use crate::diag::Diagnostic;
use crate::diag::codes::check as codes;
use crate::syntax::ast::{BinaryOp, ClassRef, Expr, ExprKind, Path};

impl<'a> Checker<'a> {
    /// The fields that events of the classes have because their declarations compare them.
    pub(crate) fn required_by_classes(&self, classes: &[ClassRef]) -> Vec<String> {
        let mut found = Vec::new();
        if let [class] = classes
            && let Some(decl) = self.names.classes.get(class.name.as_str())
        {
            required_fields(&decl.condition, &mut found);
        }
        found
    }

    /// Warns about each negation in the conditions that skips events lacking a field. `known` are fields that are there.
    pub(crate) fn skipping_negations(&mut self, conditions: &[&Expr], known: &[String], scope: &Scope<'_, 'a>) {
        for Skip { conjunct, negation, path } in skips(conditions, known, &self.names, &|name| scope.is_name(name)) {
            let field = path_text(path);
            let mut report = Diagnostic::warning(
                codes::SKIPS_MISSING,
                format!("this negation skips events that have no `{field}`"),
                conjunct.span,
                format!("missing, not true, without `{field}`"),
            )
            .note("a comparison with a missing field is missing, and a condition must be true to pass");
            report = match self.default_for(negation) {
                Some(default) => report
                    .help(format!(
                        "to let them pass, give a default; to skip them on purpose, add `exists({field}) and`"
                    ))
                    .fix(path.span, format!("({} ?? {default})", self.sources.text(path.span))),
                None => report.help(format!(
                    "to let them pass, write `not exists({field}) or …`; to skip them on purpose, add `exists({field}) and`"
                )),
            };
            self.out.push(report);
        }
    }

    /// A default for which the negation is true, as it is written.
    fn default_for(&self, negation: &Expr) -> Option<String> {
        match &negation.kind {
            ExprKind::Binary(BinaryOp::Ne | BinaryOp::Eq, a, b) => {
                let constant = fold(b, &self.names).or_else(|| fold(a, &self.names));
                match constant {
                    Some(Value::Str(s)) if !s.is_empty() => Some("\"\"".into()),
                    Some(Value::Int(0)) => Some("1".into()),
                    Some(Value::Int(_) | Value::UInt(_) | Value::Float(_)) => Some("0".into()),
                    Some(Value::Bool(b)) => Some((!b).to_string()),
                    Some(_) => None,
                    // A text with the suffix `i` does not fold, nor does another field.
                    None => Some("\"\"".into()),
                }
            }
            ExprKind::In { .. } | ExprKind::Like { .. } | ExprKind::Matches { .. } => Some("\"\"".into()),
            ExprKind::Path(_) => Some("false".into()),
            ExprKind::Call(_) => Some("\"\"".into()),
            _ => None,
        }
    }
}

/// A negation that is missing for events without a field.
pub(crate) struct Skip<'e> {
    /// The whole conjunct.
    pub(crate) conjunct: &'e Expr,
    /// What it denies.
    pub(crate) negation: &'e Expr,
    /// The field.
    pub(crate) path: &'e Path,
}

/// The negations among the conjuncts that skip events; each field is named once.
pub(crate) fn skips<'e>(
    conditions: &[&'e Expr],
    known: &[String],
    names: &Names<'_>,
    is_step: &dyn Fn(&str) -> bool,
) -> Vec<Skip<'e>> {
    // A bare name may be a `let`, which stands for an expression; a field is only what is no name.
    let is_field = |path: &Path| {
        let head = path.parts[0].name.as_str();
        match path.parts.len() {
            1 => !names.lets.contains_key(head),
            _ => head != "prev" && !is_step(head),
        }
    };
    let mut required = known.to_vec();
    conditions.iter().for_each(|c| required_fields(c, &mut required));
    let mut found = Vec::new();
    for conjunct in conditions.iter().flat_map(|c| conjuncts(c)) {
        let Some(negation) = negation_of(conjunct) else { continue };
        let Some(path) = skipped_field(negation, &is_field, &required) else { continue };
        required.push(path_text(path));
        found.push(Skip { conjunct, negation, path });
    }
    found
}

/// What a conjunct denies, if it is a negation.
fn negation_of(conjunct: &Expr) -> Option<&Expr> {
    match &conjunct.kind {
        ExprKind::Not(inner) => Some(inner),
        ExprKind::Binary(BinaryOp::Ne, ..) => Some(conjunct),
        ExprKind::In { negated: true, .. } | ExprKind::Like { negated: true, .. } => Some(conjunct),
        _ => None,
    }
}

/// The first field of the current event in a negation that it may lack.
fn skipped_field<'e>(negation: &'e Expr, is_field: &dyn Fn(&Path) -> bool, required: &[String]) -> Option<&'e Path> {
    let mut found: Option<&Path> = None;
    let elements = walk::element_names(negation);
    walk::expressions(negation, &mut |e| {
        match &e.kind {
            // These are never missing themselves, whatever they are over.
            ExprKind::Call(call) if matches!(call.name.name.as_str(), "exists" | "count") => return false,
            ExprKind::Binary(BinaryOp::Default, ..) => return false,
            ExprKind::Path(path) if found.is_none() => {
                let head = &path.parts[0].name;
                let field = !head.starts_with('@') && !elements.contains(&head.as_str()) && is_field(path);
                if field && !required.contains(&path_text(path)) {
                    found = Some(path);
                }
            }
            _ => {}
        }
        true
    });
    found
}
