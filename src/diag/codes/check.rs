//! Codes of the checker: E02xx names, types and scopes; E03xx patterns and bounds; W05xx warnings.

use crate::diag::code::CodeInfo;

/// The table, sorted by code.
pub const CODES: &[CodeInfo] = &[];
