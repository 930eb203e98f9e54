//! The JSON scanner against two judges that share no code with it: a public conformance suite and `serde_json`.
//!
//! In the differential tests `serde_json` parses the line, a look-up written straight from the definition of paths
//! reads the fields, and verdict and values must be equal.

#[path = "decode_json/conformance.rs"]
mod conformance;
#[path = "decode_json/differential.rs"]
mod differential;
#[path = "decode_json/real.rs"]
mod real;
#[path = "decode_json/reference.rs"]
mod reference;
