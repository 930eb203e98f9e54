//! Codes of tables and configuration: E04xx.

use crate::diag::code::CodeInfo;

/// The table, sorted by code.
pub const CODES: &[CodeInfo] = &[];
