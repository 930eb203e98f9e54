//! Secrets: where they come from, and a type that does not print them.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::io::trust;

/// A secret. It has no text form; [`Secret::reveal`] is the one way to its content.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// A secret of this content.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The content, for the peer it is meant for and nobody else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Where a secret stands. A configuration file names the place and never holds the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretPlace {
    /// An environment variable.
    Env(String),
    /// A file, without the line end at its end.
    File(PathBuf),
    /// A credential that systemd hands over.
    Credential(String),
}

impl fmt::Display for SecretPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Credential(name) => write!(f, "credential {name}"),
        }
    }
}

/// The environment of the process, as the program hands it over.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

impl SecretPlace {
    /// Reads the secret.
    ///
    /// # Errors
    /// Says in words why there is none. The words hold the place, never the content.
    pub fn read(&self, env: Env<'_>) -> Result<Secret, String> {
        let text = match self {
            Self::Env(name) => env(name).ok_or_else(|| format!("{self} is not set"))?,
            Self::File(path) => self.file(path)?,
            Self::Credential(name) => {
                if name.contains(['/', '\\']) {
                    return Err(format!("{self}: a credential is named, not located"));
                }
                let directory = env("CREDENTIALS_DIRECTORY")
                    .ok_or_else(|| format!("{self}: CREDENTIALS_DIRECTORY is not set; systemd sets it for services"))?;
                self.file(&PathBuf::from(directory).join(name))?
            }
        };
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return Err(format!("{self} is empty"));
        }
        if text.chars().any(char::is_control) {
            return Err(format!("{self} holds more than one line, or a control character"));
        }
        Ok(Secret::new(text))
    }

    /// The content of the file that holds it. A secret that everyone may exchange is none.
    fn file(&self, path: &Path) -> Result<String, String> {
        let bytes = trust::read(path).map_err(|why| format!("{self} {why}"))?;
        String::from_utf8(bytes).map_err(|_| format!("{self} is not UTF-8 text"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_and_not_printed() {
        let env = |name: &str| (name == "TOKEN").then(|| "canary-5566\n".to_owned());
        let secret = SecretPlace::Env("TOKEN".to_owned()).read(&env).expect("it is set");
        assert_eq!(secret.reveal(), "canary-5566");
        assert!(!format!("{secret:?} {:?}", Some(&secret)).contains("canary"));
        let missing = SecretPlace::Env("OTHER".to_owned()).read(&env).expect_err("it is not set");
        assert_eq!(missing, "environment variable OTHER is not set");
        let located = SecretPlace::Credential("../../etc/passwd".to_owned()).read(&env).expect_err("a path");
        assert!(located.contains("named, not located"), "{located}");
    }

    #[test]
    fn two_lines_are_no_secret() {
        let env = |_: &str| Some("canary\r\nX-Other: header".to_owned());
        let error = SecretPlace::Env("A".to_owned()).read(&env).expect_err("two lines");
        assert!(!error.contains("canary"), "{error}");
    }
}
