//! Codes of the parser: E00xx.

use crate::diag::code::CodeInfo;

/// The table, sorted by code.
pub const CODES: &[CodeInfo] = &[];
