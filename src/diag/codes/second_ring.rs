//! Codes of constructs that the language has and this version does not build yet: E01xx.

use crate::diag::code::CodeInfo;

/// The table, sorted by code.
pub const CODES: &[CodeInfo] = &[];
