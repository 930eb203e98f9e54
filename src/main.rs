//! The `tripline` program: a thin shell around the library, see `cli`.

#![warn(clippy::disallowed_methods)]

mod cli;

/// Partial matches come and go by the million, in many small pieces: measured, this takes a third off the packs' time.
/// With the boundary to Java the library brings the same along.
#[cfg(not(feature = "jni"))]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::main()
}
