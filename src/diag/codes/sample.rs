//! Codes of findings in sample data: W06xx.

use crate::diag::code::CodeInfo;

/// The table, sorted by code.
pub const CODES: &[CodeInfo] = &[];
