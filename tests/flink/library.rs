//! The native library, built for the tests of Flink where they were built themselves: most of what it needs is there.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds the library, or takes the one that `TRIPLINE_LIBRARY` names.
pub fn native_library() -> PathBuf {
    if let Some(path) = std::env::var_os("TRIPLINE_LIBRARY") {
        return PathBuf::from(path);
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("a folder in the target directory");
    let mut build = Command::new(env!("CARGO"));
    build.args(["rustc", "--locked", "--lib", "--crate-type", "cdylib", "--no-default-features", "--features", "jni"]);
    build.arg("--target-dir").arg(target).current_dir(env!("CARGO_MANIFEST_DIR"));
    assert!(build.status().expect("cargo starts").success(), "the native library does not build");
    target.join("debug/libtripline.so")
}
