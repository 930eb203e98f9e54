//! Tripline.
fn main() {}
