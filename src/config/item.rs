//! One item of a list in the file, an input or an output: how what is wrong about it is reported, and secrets.

use super::choice::Choice;
use super::outputs::{WrittenPlace, WrittenText};
use super::{Reader, WRONG_VALUE};
use crate::diag::Diagnostic;
use crate::io::sink::secret::SecretPlace;
use crate::syntax::source::Span;
use crate::syntax::spelling::nearest;

/// How a secret is written, for help.
pub(super) const SECRET_HELP: &str = "write `{env: NAME}`, `{file: PATH}` or `{credential: NAME}`";

/// An item of a list that is being read.
pub(super) trait ListItem<'a> {
    /// The key of the list.
    const LIST: &'static str;

    /// Whoever reads the file.
    fn reader(&mut self) -> &mut Reader<'a>;

    /// Its place in the list.
    fn place(&self) -> usize;

    /// Notes what is wrong about the value of a key.
    fn wrong(&mut self, key: &str, message: &str, help: &str) {
        let n = self.place();
        let reader = self.reader();
        let span = reader.tree.in_item(Self::LIST, n, key);
        reader.problems.push(Diagnostic::error(WRONG_VALUE, message, span, "here").help(help));
    }

    /// One of a few words.
    fn choice<T: Choice>(&mut self, key: &str, text: Option<&str>) -> Option<T> {
        let text = text?;
        let value = T::from_word(text);
        if value.is_none() {
            let words = T::WORDS.iter().map(|(word, _)| *word);
            let help = match nearest(text, words.clone()) {
                Some(word) => format!("did you mean `{word}`?"),
                None => {
                    format!("it is one of {}", words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "))
                }
            };
            self.wrong(key, &format!("`{text}` cannot stand for `{key}`"), &help);
        }
        value
    }

    /// The same of a value that may be a secret: its line is not shown.
    fn wrong_secret(&mut self, key: &str, message: &str, help: &str) {
        let n = self.place();
        let reader = self.reader();
        let span = reader.tree.in_item(Self::LIST, n, key);
        let line = reader.text[..span.start as usize].matches('\n').count() + 1;
        let hidden = Span::new(reader.source, 0, 0);
        let message = format!("line {line}: `{key}`: {message}");
        reader.problems.push(Diagnostic::error(WRONG_VALUE, message, hidden, "").help(help));
    }

    /// A secret, which never stands in the file.
    fn secret(&mut self, key: &str, text: Option<&WrittenText>) -> Option<SecretPlace> {
        match text? {
            WrittenText::Plain(_) => {
                self.wrong_secret(key, "a secret does not stand in the file", SECRET_HELP);
                None
            }
            WrittenText::Place(place) => self.secret_place(key, place),
        }
    }

    /// Where a secret is.
    fn secret_place(&mut self, key: &str, place: &WrittenPlace) -> Option<SecretPlace> {
        let place = place.place();
        if place.is_none() {
            self.wrong(key, "this does not name one place", SECRET_HELP);
        }
        place
    }

    /// A certificate that shows a peer who we are, and its key: both or none.
    fn key_pair(&mut self, cert: Option<&String>, key: Option<&String>) {
        if cert.is_some() != key.is_some() {
            let set = if cert.is_some() { "cert" } else { "key" };
            self.wrong(set, "a certificate and its key go together", "set both `cert` and `key`");
        }
    }
}
