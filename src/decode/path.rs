//! The paths that rules read, as one trie that the JSON scanner walks.
//!
//! A path `a.b.c` may be written in the input nested or with dotted keys: `{"a":{"b":{"c":1}}}`, `{"a":{"b.c":1}}`,
//! `{"a.b":{"c":1}}`, `{"a.b.c":1}`. Looking it up tries, at every level, the nested step first and then ever longer
//! literal keys; `null` does not count as found. The order in which that search would meet the variants is their *rank*,
//! so the scanner, which meets them in the order of the input, keeps the one of the lowest rank.
//!
//! Invariants: a node has one parent; two variants of one field never end at the same node unless their ranks are equal.

use std::collections::BTreeMap;

use super::key_index::{Fingerprint, KeyIndex};
use crate::base::FieldId;

/// Paths of up to this many parts are found in every mixture of nesting and dotted keys: 2^(n-1) variants.
pub const ALL_VARIANTS_UP_TO: usize = 8;

/// Longer paths, up to this many parts, are found with at most one dotted key. Beyond it only the fully nested form and
/// the whole path as one key are tried.
pub const ONE_DOTTED_KEY_UP_TO: usize = 32;

/// The deepest nesting that the scanner can follow, whatever the limit asked for.
pub const MAX_DEPTH: usize = 128;

pub(super) const ROOT: u32 = 0;

/// Field paths with the slots they fill.
#[derive(Clone, Debug)]
pub struct PathTrie {
    nodes: Vec<Node>,
    fields: usize,
    max_depth: usize,
    /// The field of the path without parts, which holds every scalar of the event.
    whole: Option<FieldId>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    children: KeyIndex,
    /// The fields that a value here may fill, with the rank of this way of writing them.
    pub(super) ends: Vec<(FieldId, u32)>,
}

impl Node {
    #[inline]
    pub(super) fn is_inner(&self) -> bool {
        !self.children.is_empty()
    }
}

impl PathTrie {
    /// The trie of these paths; the field of a path is its index. Equal paths each fill their own slot.
    pub fn new(paths: &[Vec<String>]) -> Self {
        let whole = paths.iter().position(Vec::is_empty).map(FieldId::from);
        let mut trie = Self { nodes: vec![Node::default()], fields: paths.len(), max_depth: MAX_DEPTH, whole };
        let mut index: Vec<BTreeMap<Box<str>, u32>> = vec![BTreeMap::new()];
        for (field, path) in paths.iter().enumerate() {
            for (rank, keys) in variants(path).into_iter().enumerate() {
                trie.insert(&mut index, FieldId::from(field), rank as u32, keys);
            }
        }
        for (node, children) in trie.nodes.iter_mut().zip(index) {
            node.children = KeyIndex::new(children);
        }
        trie
    }

    /// Lines nested deeper than this are rejected. At most [`MAX_DEPTH`], which is also the default.
    pub fn with_max_depth(mut self, depth: usize) -> Self {
        self.max_depth = depth.min(MAX_DEPTH);
        self
    }

    /// Leaves the field of the path without parts empty.
    pub fn without_whole(mut self) -> Self {
        self.whole = None;
        self
    }

    /// How many fields there are: the number of slots that [`extract`](super::extract) fills.
    pub fn fields(&self) -> usize {
        self.fields
    }

    /// How many nodes there are, the root included: the cost of the trie in memory.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn whole(&self) -> Option<FieldId> {
        self.whole
    }

    pub(super) fn max_depth(&self) -> usize {
        self.max_depth
    }

    #[inline]
    pub(super) fn node(&self, node: u32) -> &Node {
        &self.nodes[node as usize]
    }

    /// The child of a node under a key, whose fingerprint is computed only if it is needed.
    #[inline]
    pub(super) fn child(&self, node: u32, key: &[u8], fingerprint: impl FnOnce() -> Fingerprint) -> Option<u32> {
        self.node(node).children.find(key, fingerprint)
    }

    fn insert(&mut self, index: &mut Vec<BTreeMap<Box<str>, u32>>, field: FieldId, rank: u32, keys: Vec<String>) {
        let mut at = ROOT;
        for key in keys {
            let next = self.nodes.len() as u32;
            let child = *index[at as usize].entry(key.into_boxed_str()).or_insert(next);
            if child == next {
                self.nodes.push(Node::default());
                index.push(BTreeMap::new());
            }
            at = child;
        }
        let ends = &mut self.nodes[at as usize].ends;
        if at != ROOT && !ends.iter().any(|(known, _)| *known == field) {
            ends.push((field, rank));
        }
    }
}

/// The ways of writing a path as keys, best first.
fn variants(path: &[String]) -> Vec<Vec<String>> {
    let n = path.len();
    if n <= ALL_VARIANTS_UP_TO {
        return mixtures(path);
    }
    let joined = |from: usize, to: usize| {
        let mut keys: Vec<String> = path[..from].to_vec();
        keys.push(path[from..to].join("."));
        keys.extend_from_slice(&path[to..]);
        keys
    };
    let mut found = vec![path.to_vec()];
    if n <= ONE_DOTTED_KEY_UP_TO {
        // The search prefers to nest first, so a dotted key that begins later is met earlier.
        for from in (0..n - 1).rev() {
            found.extend((from + 2..=n).map(|to| joined(from, to)));
        }
    } else {
        found.push(joined(0, n));
    }
    found
}

fn mixtures(path: &[String]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for first in 1..=path.len() {
        let key = path[..first].join(".");
        if first == path.len() {
            found.push(vec![key]);
            continue;
        }
        for rest in mixtures(&path[first..]) {
            let mut keys = vec![key.clone()];
            keys.extend(rest);
            found.push(keys);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Vec<String> {
        text.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn nested_comes_before_dotted_at_every_level() {
        let written: Vec<String> = variants(&path("a.b.c")).into_iter().map(|keys| keys.join(" > ")).collect();
        assert_eq!(written, ["a > b > c", "a > b.c", "a.b > c", "a.b.c"]);
    }

    #[test]
    fn a_long_path_has_few_variants() {
        let long = |n: usize| variants(&vec!["p".to_owned(); n]);
        assert_eq!(long(8).len(), 128);
        assert_eq!(long(9).len(), 1 + 9 * 8 / 2);
        assert_eq!(long(500).len(), 2);
        let nine: Vec<String> = (0..9).map(|n| n.to_string()).collect();
        let written: Vec<String> = variants(&nine).into_iter().take(4).map(|keys| keys.join(" ")).collect();
        assert_eq!(written, ["0 1 2 3 4 5 6 7 8", "0 1 2 3 4 5 6 7.8", "0 1 2 3 4 5 6.7 8", "0 1 2 3 4 5 6.7.8"]);
    }

    fn child(trie: &PathTrie, key: &str) -> Option<u32> {
        trie.child(ROOT, key.as_bytes(), || Fingerprint::new(key.as_bytes()))
    }

    #[test]
    fn children_are_found_by_name_in_small_and_large_nodes() {
        for count in [1, 2, 9, 300] {
            let paths: Vec<Vec<String>> = (0..count).map(|n| vec![format!("field{n}")]).collect();
            let trie = PathTrie::new(&paths);
            assert_eq!(trie.nodes(), count + 1);
            for (field, path) in paths.iter().enumerate() {
                let node = child(&trie, &path[0]).expect("the key was put in");
                assert_eq!(trie.node(node).ends, [(FieldId::from(field), 0)]);
            }
            assert_eq!(child(&trie, "field"), None);
            assert_eq!(child(&trie, "fieldx"), None);
        }
    }

    #[test]
    fn a_path_without_parts_is_the_whole_event() {
        let trie = PathTrie::new(&[vec![]]);
        assert_eq!(trie.whole(), Some(FieldId(0)));
        assert_eq!((trie.fields(), trie.nodes()), (1, 1));
        assert!(trie.node(ROOT).ends.is_empty());
    }
}
