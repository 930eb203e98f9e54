//! The `tripline` program: a thin shell around the library, see `cli`.

#![warn(clippy::disallowed_methods)]

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
