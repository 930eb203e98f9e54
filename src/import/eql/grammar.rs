//! The parser that pest generates from `grammar/eql.pest`. Nothing outside this folder sees its types.
#![allow(missing_docs)]

use pest_derive::Parser;

#[derive(Parser)]
#[grammar = "../grammar/eql.pest"]
pub(super) struct EqlParser;
