//! Many patterns for one text: `like` with a list, and `contains`, `starts_with`, `ends_with` over constants.
//!
//! Any of the patterns will do. A few are tried one by one; of many the plain ones are looked up together: by hash where
//! it is known where they stand in the text, and in one pass over it where it is not.

use std::borrow::Cow;
use std::sync::OnceLock;

use hashbrown::HashSet;

use super::fold::fold_case;
use super::glob::{Glob, GlobPart};
use super::literals::Search;
use crate::base::function::Function;

/// Lists up to this long are tried one by one.
const FEW: usize = 6;

/// Patterns of which any will do.
#[derive(Clone)]
pub struct GlobSet {
    globs: Vec<Glob>,
    exact: Matcher,
    folded: Matcher,
}

impl std::fmt::Debug for GlobSet {
    /// The patterns say all.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.globs.fmt(f)
    }
}

impl GlobSet {
    /// A set of patterns.
    pub fn new(globs: Vec<Glob>) -> Self {
        let of = |fold| Matcher::new(globs.iter().filter(|glob| glob.fold == fold));
        let (exact, folded) = (of(false), of(true));
        Self { globs, exact, folded }
    }

    /// The patterns.
    pub fn globs(&self) -> &[Glob] {
        &self.globs
    }

    /// Whether any pattern matches the whole text.
    pub fn is_match(&self, text: &str) -> bool {
        self.is_match_with(text, || fold_case(text))
    }

    /// The same with a way to the folded text, which is taken if some pattern folds.
    #[inline]
    pub fn is_match_with<'t>(&self, text: &'t str, folded: impl FnOnce() -> Cow<'t, str>) -> bool {
        self.exact.is_match(text) || (!matches!(self.folded, Matcher::Nothing) && self.folded.is_match(&folded()))
    }
}

/// Patterns that compare in the same way.
#[derive(Clone)]
enum Matcher {
    Nothing,
    Few(Vec<Shape>),
    Many(Box<Many>),
}

/// A pattern by what it takes to match it.
#[derive(Clone)]
enum Shape {
    Whole(Box<str>),
    Start(Box<str>),
    End(Box<str>),
    Inner(Box<str>, Finder),
    Other(Glob),
}

/// Made when a text is first held against it: most patterns never are, and there are thousands.
type Finder = OnceLock<Box<memchr::memmem::Finder<'static>>>;

impl Shape {
    fn new(glob: &Glob) -> Self {
        match glob.parts.as_slice() {
            [GlobPart::Text(text)] => Self::Whole(text.clone()),
            [GlobPart::Text(text), GlobPart::AnyRun] => Self::Start(text.clone()),
            [GlobPart::AnyRun, GlobPart::Text(text)] => Self::End(text.clone()),
            [GlobPart::AnyRun, GlobPart::Text(text), GlobPart::AnyRun] => Self::Inner(text.clone(), OnceLock::new()),
            _ => Self::Other(glob.clone()),
        }
    }

    fn is_match(&self, text: &str) -> bool {
        match self {
            Self::Whole(whole) => text == &**whole,
            Self::Start(start) => text.starts_with(&**start),
            Self::End(end) => text.ends_with(&**end),
            Self::Inner(inner, finder) => {
                let made = || Box::new(memchr::memmem::Finder::new(inner.as_bytes()).into_owned());
                finder.get_or_init(made).find(text.as_bytes()).is_some()
            }
            Self::Other(glob) => glob.is_match_folded(text),
        }
    }
}

#[derive(Clone)]
struct Many {
    wholes: HashSet<Box<str>, foldhash::fast::FixedState>,
    starts: Vec<Affixes>,
    ends: Vec<Affixes>,
    /// Texts with a star on both sides.
    inner: Vec<Box<str>>,
    /// The search for those, made when a text is first held against it: most lists never are. `None` if they are too
    /// many for one.
    search: OnceLock<Option<Search>>,
    others: Vec<Glob>,
}

/// Texts with a star on one side that are of one length and begin with the same byte: looking at this byte is enough
/// for most.
#[derive(Clone)]
struct Affixes {
    length: usize,
    first: u8,
    texts: HashSet<Box<[u8]>, foldhash::fast::FixedState>,
}

impl Affixes {
    fn add(groups: &mut Vec<Self>, text: &str) {
        let Some(first) = text.bytes().next() else { return };
        let at = groups.iter().position(|g| g.length == text.len() && g.first == first).unwrap_or_else(|| {
            groups.push(Self { length: text.len(), first, texts: HashSet::default() });
            groups.len() - 1
        });
        groups[at].texts.insert(text.as_bytes().into());
    }

    #[inline]
    fn are(&self, part: Option<&[u8]>) -> bool {
        part.is_some_and(|part| part.first() == Some(&self.first) && self.texts.contains(part))
    }
}

impl Matcher {
    fn new<'g>(globs: impl Iterator<Item = &'g Glob>) -> Self {
        let shapes: Vec<Shape> = globs.map(Shape::new).collect();
        match shapes.len() {
            0 => Self::Nothing,
            1..=FEW => Self::Few(shapes),
            _ => Self::Many(Box::new(Many::new(shapes))),
        }
    }

    fn is_match(&self, text: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::Few(shapes) => shapes.iter().any(|shape| shape.is_match(text)),
            Self::Many(many) => many.is_match(text),
        }
    }
}

impl Many {
    fn new(shapes: Vec<Shape>) -> Self {
        let mut many = Self {
            wholes: HashSet::default(),
            starts: Vec::new(),
            ends: Vec::new(),
            inner: Vec::new(),
            search: OnceLock::new(),
            others: Vec::new(),
        };
        for shape in shapes {
            match shape {
                Shape::Whole(text) => {
                    many.wholes.insert(text);
                }
                Shape::Start(text) => Affixes::add(&mut many.starts, &text),
                Shape::End(text) => Affixes::add(&mut many.ends, &text),
                Shape::Inner(text, _) => many.inner.push(text),
                Shape::Other(glob) => many.others.push(glob),
            }
        }
        // A search takes each once.
        many.inner.sort_unstable();
        many.inner.dedup();
        many
    }

    fn is_match(&self, text: &str) -> bool {
        let bytes = text.as_bytes();
        if (!self.wholes.is_empty() && self.wholes.contains(text))
            || self.starts.iter().any(|group| group.are(bytes.get(..group.length)))
            || self.ends.iter().any(|group| group.are(bytes.len().checked_sub(group.length).map(|at| &bytes[at..])))
            || self.others.iter().any(|glob| glob.is_match_folded(text))
        {
            return true;
        }
        if self.inner.is_empty() {
            return false;
        }
        let search = self.search.get_or_init(|| {
            let literals: Vec<&str> = self.inner.iter().map(|text| &**text).collect();
            Search::new(&literals).ok()
        });
        match search {
            Some(search) => search.any(text),
            None => self.inner.iter().any(|literal| memchr::memmem::find(bytes, literal.as_bytes()).is_some()),
        }
    }
}

/// `contains`, `starts_with` or `ends_with` with constant texts, all folded or none.
#[derive(Clone, Debug)]
pub struct TextTest {
    /// Which.
    pub function: Function,
    /// The same as patterns.
    pub set: GlobSet,
    /// The texts, for `contains` of a list, which asks for a whole element; folded if the test folds.
    pub texts: Vec<Box<str>>,
    /// Texts are compared folded.
    pub fold: bool,
    /// It was written with one text and not a list of them: the elements of a list then compare as `==` does.
    pub single: bool,
}

impl TextTest {
    /// A test; the texts are folded here if it folds. `None` for another function.
    pub fn new(function: Function, texts: &[&str], fold: bool, single: bool) -> Option<Self> {
        let (starts, ends) = match function {
            Function::StartsWith => (true, false),
            Function::EndsWith => (false, true),
            Function::Contains => (false, false),
            _ => return None,
        };
        let set = GlobSet::new(texts.iter().map(|text| Glob::around(text, starts, ends, fold)).collect());
        let texts = texts.iter().map(|text| if fold { fold_case(text).into() } else { (*text).into() }).collect();
        Some(Self { function, set, texts, fold, single })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_patterns_match_as_each_alone() {
        let patterns = ["abc", "ab*", "*bc", "*b*", "a?c", "*", "", "c*a", "*cc*", "bb", "cab*", "*Ä*", "aa*", "*ca"];
        let texts = ["", "a", "b", "abc", "cab", "acc", "axc", "ccca", "bb", "BB", "xÄx", "äa", "aabb", "ca", "aca"];
        for fold in [false, true] {
            for from in 0..patterns.len() {
                for to in from..patterns.len() {
                    let globs: Vec<Glob> = patterns[from..=to].iter().map(|p| Glob::new(p, fold)).collect();
                    let set = GlobSet::new(globs.clone());
                    for text in texts {
                        let each = globs.iter().any(|glob| glob.is_match(text));
                        assert_eq!(set.is_match(text), each, "{text:?} like {:?}", &patterns[from..=to]);
                    }
                }
            }
        }
    }

    #[test]
    fn a_test_of_the_empty_text_holds_everywhere() {
        for function in [Function::Contains, Function::StartsWith, Function::EndsWith] {
            let test = TextTest::new(function, &["x", ""], true, false).expect("one of the three");
            assert!(test.set.is_match("") && test.set.is_match("abc"));
        }
    }
}
