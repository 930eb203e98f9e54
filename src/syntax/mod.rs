//! Text of a rule file to a syntax tree and back. Knows nothing of field types or meaning.

pub mod ast;
mod build;
mod clock;
mod declaration;
mod doc;
mod expected;
mod grammar;
mod hint;
mod literal;
mod misspelt;
mod operand;
mod parser;
mod pattern;
mod pratt;
mod print_expr;
mod print_pattern;
mod printer;
mod recover;
mod scanner;
pub mod source;
pub mod spelling;
mod split;
pub mod statistic;
mod step;
mod template;
mod test_block;
mod visit;

pub use parser::{parse, parse_expr, parse_rule_one_liner};
pub use pratt::{flatten, join, operands};
pub use printer::{format, print, print_expr};
