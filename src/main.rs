//! The `tripline` program: see `cli`.
fn main() {}
