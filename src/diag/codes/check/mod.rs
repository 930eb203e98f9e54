//! Codes of the checker: E02xx names, types and scopes; E03xx patterns and bounds, E036x what becomes of alerts; W05xx warnings.
//!
//! Each entry makes a constant and its description together. The examples are whole rule files: a test holds
//! that the wrong one gives the code and the right one gives nothing.

use crate::diag::Code;
use crate::diag::code::CodeInfo;

macro_rules! codes {
    ($($name:ident $code:literal $title:literal, $text:literal, wrong $wrong:literal, right $right:literal;)*) => {
        $(#[doc = $title] pub const $name: $crate::diag::Code = $crate::diag::Code($code);)*

        /// The table, sorted by code.
        pub(super) const TABLE: &[$crate::diag::code::CodeInfo] = &[$($crate::diag::code::CodeInfo {
            code: $code,
            title: $title,
            explanation: concat!(
                $text, "\n\nWrong:\n\n```trip\n", $wrong, "\n```\n\nRight:\n\n```trip\n", $right, "\n```\n",
            ),
        },)*];
    };
}

mod lifecycle;
mod names;
mod parts;
mod patterns;
mod sessions;
mod statistics;
mod values;
mod warnings;

pub use lifecycle::*;
pub use names::*;
pub use parts::*;
pub use patterns::*;
pub use sessions::*;
pub use statistics::*;
pub use values::*;
pub use warnings::*;

/// The tables, in the order of their codes.
#[rustfmt::skip] // One a line: tables come and go.
const TABLES: &[&[CodeInfo]] = &[
    names::TABLE,
    values::TABLE,
    patterns::TABLE,
    statistics::TABLE,
    lifecycle::TABLE,
    parts::TABLE,
    sessions::TABLE,
    warnings::TABLE,
];

const COUNT: usize = {
    let (mut table, mut count) = (0, 0);
    while table < TABLES.len() {
        count += TABLES[table].len();
        table += 1;
    }
    count
};

const ALL: [CodeInfo; COUNT] = {
    let mut all = [names::TABLE[0]; COUNT];
    let (mut table, mut at) = (0, 0);
    while table < TABLES.len() {
        let mut row = 0;
        while row < TABLES[table].len() {
            all[at] = TABLES[table][row];
            row += 1;
            at += 1;
        }
        table += 1;
    }
    all
};

/// The table, sorted by code.
pub const CODES: &[CodeInfo] = &ALL;

/// Every code of this range as a [`Code`].
pub fn all() -> impl Iterator<Item = Code> {
    CODES.iter().map(|info| Code(info.code))
}
