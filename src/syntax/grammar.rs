//! The parser that pest generates from `grammar/rules.pest`. Nothing outside this folder sees its types.
#![allow(missing_docs)]

use pest_derive::Parser;

#[derive(Parser)]
#[grammar = "../grammar/rules.pest"]
pub(super) struct RuleParser;
