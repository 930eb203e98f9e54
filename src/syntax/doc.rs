//! Layout: a text with places where it may break, laid out within a width.
//!
//! A group is laid on one line if it fits, else each of its own breaks becomes a new line.

/// A text that may break.
#[derive(Clone, Debug)]
pub(super) enum Doc {
    /// Text without a line break.
    Text(String),
    /// A space, or a new line.
    Line,
    /// Nothing, or a new line.
    Soft,
    /// One after the other.
    Concat(Vec<Doc>),
    /// Breaks as one.
    Group(Box<Doc>),
    /// New lines inside are indented by this much more.
    Nest(usize, Box<Doc>),
}

impl Doc {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn concat(parts: impl IntoIterator<Item = Doc>) -> Self {
        Self::Concat(parts.into_iter().collect())
    }

    pub(super) fn group(self) -> Self {
        Self::Group(Box::new(self))
    }

    pub(super) fn nest(self, indent: usize) -> Self {
        Self::Nest(indent, Box::new(self))
    }

    /// Parts with a comma between them, each part on a line of its own if they do not fit.
    pub(super) fn commas(parts: impl IntoIterator<Item = Doc>) -> Self {
        let mut out = Vec::new();
        for (i, part) in parts.into_iter().enumerate() {
            if i > 0 {
                out.push(Self::text(","));
                out.push(Self::Line);
            }
            out.push(part);
        }
        Self::Concat(out)
    }

    /// The text on one line.
    pub(super) fn flat(&self) -> String {
        let mut out = String::new();
        self.flat_into(&mut out);
        out
    }

    fn flat_into(&self, out: &mut String) {
        match self {
            Self::Text(text) => out.push_str(text),
            Self::Line => out.push(' '),
            Self::Soft => {}
            Self::Concat(parts) => parts.iter().for_each(|part| part.flat_into(out)),
            Self::Group(inner) | Self::Nest(_, inner) => inner.flat_into(out),
        }
    }

    /// Lays the text out. It begins at column `column`; new lines are indented by `indent`.
    pub(super) fn layout(&self, indent: usize, column: usize, width: usize) -> String {
        let mut out = String::new();
        let mut at = column;
        let mut stack = vec![(self, indent, false)];
        while let Some((doc, indent, flat)) = stack.pop() {
            match doc {
                Self::Text(text) => {
                    out.push_str(text);
                    at += text.chars().count();
                }
                Self::Line | Self::Soft if flat => {
                    if matches!(doc, Self::Line) {
                        out.push(' ');
                        at += 1;
                    }
                }
                Self::Line | Self::Soft => {
                    out.push('\n');
                    out.extend(std::iter::repeat_n(' ', indent));
                    at = indent;
                }
                Self::Concat(parts) => stack.extend(parts.iter().rev().map(|part| (part, indent, flat))),
                Self::Nest(more, inner) => stack.push((inner, indent + more, flat)),
                Self::Group(inner) => {
                    let flat = flat || at + inner.width(width.saturating_sub(at)) <= width;
                    stack.push((inner, indent, flat));
                }
            }
        }
        out
    }

    /// Columns on one line, counted no further than just over `most`.
    pub(super) fn width(&self, most: usize) -> usize {
        let mut total = 0;
        let mut stack = vec![self];
        while let Some(doc) = stack.pop() {
            match doc {
                Self::Text(text) => total += text.chars().count(),
                Self::Line => total += 1,
                Self::Soft => {}
                Self::Concat(parts) => stack.extend(parts.iter().rev()),
                Self::Group(inner) | Self::Nest(_, inner) => stack.push(inner),
            }
            if total > most {
                break;
            }
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_only_what_does_not_fit() {
        let inner = Doc::concat([Doc::text("(a"), Doc::Line, Doc::text("b)")]).group();
        let doc = Doc::concat([Doc::text("x"), Doc::Line, inner]).nest(2).group();
        assert_eq!(doc.layout(0, 0, 20), "x (a b)");
        assert_eq!(doc.layout(0, 0, 7), "x (a b)");
        assert_eq!(doc.layout(0, 0, 6), "x\n  (a\n  b)");
        assert_eq!(doc.flat(), "x (a b)");
    }
}
