//! The index: from what an event shows to the predicates worth asking.
//!
//! A node looks at some fields: each value is looked up once among constants, and searched once for literals. What is
//! found names predicates, or leads to a node of those that share the value and are told apart by other fields. So a
//! field is searched only for the predicates that the event can still meet.
//!
//! Invariant: for every event that a predicate holds for, the way along the clause chosen for it is lit.

use hashbrown::HashMap;
use smallvec::SmallVec;

use super::line::LineTest;
use super::scalar::{Likely, Scalars};
use super::witness::{Atom, Clause};
use crate::base::FieldId;
use crate::base::id::PredId;
use crate::plan::literals::Search;

/// Map with a fixed hash, so that iteration never differs between runs.
pub(super) type Map<K, V> = HashMap<K, V, foldhash::fast::FixedState>;

/// Nodes of fewer predicates than this do not search texts: asking each is as fast.
pub(super) const WORTH_SEARCHING: usize = 12;

/// A predicate that may hold, and the parts of it that are known to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) pred: PredId,
    /// By place among the predicate's tests, a bit each; later ones are always asked.
    pub(super) known: u64,
}

/// What something seen leads to.
#[derive(Debug, Default)]
pub(super) struct Target {
    pub(super) entries: Vec<Entry>,
    pub(super) node: Option<u32>,
}

/// What a node looks for in one field.
#[derive(Debug)]
pub(super) struct FieldNode {
    pub(super) field: FieldId,
    /// Targets by value, encoded.
    pub(super) equal: Map<Box<[u8]>, u32>,
    /// Targets by folded text.
    pub(super) folded: Map<Box<str>, u32>,
    /// Targets of literals: they begin at a number.
    pub(super) held: Option<(Search, u32)>,
    /// If there is any value.
    pub(super) present: Option<u32>,
    /// What most values meet.
    pub(super) scalars: Option<Scalars>,
    /// For the field that holds the whole event: lines that have nothing of what is looked for.
    pub(super) line: Option<LineTest>,
}

/// Fields to look at.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Asked whatever the event shows.
    pub(super) always: Vec<Entry>,
    pub(super) fields: Vec<FieldNode>,
}

/// The nodes; the first is the root.
#[derive(Debug, Default)]
pub(super) struct Index {
    pub(super) nodes: Vec<Node>,
    pub(super) targets: Vec<Target>,
}

/// A predicate to be put into the index.
#[derive(Debug)]
pub(super) struct Candidate<'c> {
    pub(super) pred: PredId,
    /// By test, its clauses.
    pub(super) clauses: Vec<(usize, &'c Clause)>,
}

/// Builds an index.
pub(super) struct IndexBuilder<'a> {
    candidates: &'a [Candidate<'a>],
    /// By candidate and clause.
    numbered: Vec<Vec<Numbered>>,
    atoms: Vec<&'a Atom>,
    /// The field that holds the whole event.
    whole: Option<FieldId>,
    index: Index,
    /// By atom: how many of a node's predicates could use it.
    usage: Vec<u32>,
}

/// A clause as the builder sees it.
struct Numbered {
    /// Its atoms by number.
    atoms: Vec<u32>,
    /// Fields that have to be searched or folded for it.
    searched: SmallVec<[FieldId; 2]>,
}

/// What it costs to search one more field, where asking one predicate costs 1.
const FIELD: f64 = 2.0;

/// A candidate on its way down, with what is known on the way.
#[derive(Clone, Copy)]
struct Passing {
    candidate: usize,
    known: u64,
    /// What of it the clause used last has shown.
    shown: u64,
    /// Clauses used so far, a bit each.
    used: u64,
}

impl<'a> IndexBuilder<'a> {
    pub(super) fn build(candidates: &'a [Candidate<'a>], whole: Option<FieldId>) -> Index {
        let mut numbers: Map<&Atom, u32> = Map::default();
        let mut atoms = Vec::new();
        let numbered = candidates
            .iter()
            .map(|candidate| {
                let number = |atom: &'a Atom| {
                    *numbers.entry(atom).or_insert_with(|| {
                        atoms.push(atom);
                        (atoms.len() - 1) as u32
                    })
                };
                let mut number = number;
                let mut numbered = |clause: &'a Clause| {
                    let of_text = |atom: &&Atom| matches!(atom, Atom::Holds(..) | Atom::EqualsFolded(..));
                    let mut searched: SmallVec<[FieldId; 2]> = SmallVec::new();
                    for field in clause.atoms.iter().filter(of_text).map(Atom::field) {
                        if !searched.contains(&field) {
                            searched.push(field);
                        }
                    }
                    Numbered { atoms: clause.atoms.iter().map(&mut number).collect(), searched }
                };
                candidate.clauses.iter().map(|(_, clause)| numbered(clause)).collect()
            })
            .collect();
        let usage = vec![0; atoms.len()];
        let mut builder = Self { candidates, numbered, atoms, whole, index: Index::default(), usage };
        let all = (0..candidates.len()).map(|candidate| Passing { candidate, known: 0, shown: 0, used: 0 }).collect();
        builder.node(all);
        builder.index
    }

    /// Puts candidates into a node of their own; its number.
    fn node(&mut self, passing: Vec<Passing>) -> u32 {
        let at = self.index.nodes.len();
        self.index.nodes.push(Node::default());
        let few = passing.len() < WORTH_SEARCHING;
        for p in &passing {
            for clause in &self.numbered[p.candidate] {
                clause.atoms.iter().for_each(|atom| self.usage[*atom as usize] += 1);
            }
        }
        let mut chosen: Vec<(Passing, Option<usize>)> =
            passing.iter().map(|p| (*p, self.choose(p, at == 0, few, &|_| true).map(|(clause, _)| clause))).collect();
        self.spare_fields(&mut chosen, at == 0);
        // A search pays if it saves asking many.
        let searched = chosen.iter().filter(|(p, clause)| clause.is_some_and(|at| self.searches(p.candidate, at)));
        if searched.count() < WORTH_SEARCHING {
            for (p, clause) in &mut chosen {
                if clause.is_some_and(|at| self.searches(p.candidate, at)) {
                    *clause = self.choose(p, at == 0, true, &|_| true).map(|(clause, _)| clause);
                }
            }
        }
        for p in &passing {
            for clause in &self.numbered[p.candidate] {
                clause.atoms.iter().for_each(|atom| self.usage[*atom as usize] = 0);
            }
        }
        let mut always = Vec::new();
        let mut lit: Map<u32, Vec<Passing>> = Map::default();
        let mut order: Vec<u32> = Vec::new();
        for (p, clause) in chosen {
            let Some(clause) = clause else {
                always.push(self.entry(&p));
                continue;
            };
            let (test, of) = &self.candidates[p.candidate].clauses[clause];
            let known = if of.exact && *test < 64 { 1 << test } else { 0 };
            let next = Passing { known: p.known | known, shown: known & !p.known, used: p.used | 1 << clause, ..p };
            for atom in &self.numbered[p.candidate][clause].atoms {
                lit.entry(*atom)
                    .or_insert_with(|| {
                        order.push(*atom);
                        Vec::new()
                    })
                    .push(next);
            }
        }
        self.index.nodes[at].always = always;
        // Fields in the order of their ids, literals in the order in which predicates name them.
        let mut by_field: std::collections::BTreeMap<FieldId, Vec<(u32, Vec<Passing>)>> = Default::default();
        for atom in order {
            let passing = lit.remove(&atom).unwrap_or_default();
            by_field.entry(self.atoms[atom as usize].field()).or_default().push((atom, passing));
        }
        // Values that lead on to the same predicates share a node.
        let mut same: Map<Vec<(usize, u64, u64)>, u32> = Map::default();
        let mut fields = Vec::new();
        for (field, lit) in by_field {
            fields.push(self.field_node(field, lit, &mut same));
        }
        self.index.nodes[at].fields = fields;
        at as u32
    }

    fn field_node(
        &mut self,
        field: FieldId,
        lit: Vec<(u32, Vec<Passing>)>,
        same: &mut Map<Vec<(usize, u64, u64)>, u32>,
    ) -> FieldNode {
        let mut node = FieldNode {
            field,
            equal: Map::default(),
            folded: Map::default(),
            held: None,
            present: None,
            scalars: None,
            line: None,
        };
        let (mut literals, mut held): (Vec<&'a str>, Vec<Target>) = (Vec::new(), Vec::new());
        for (atom, passing) in lit {
            let atom: &'a Atom = self.atoms[atom as usize];
            match atom {
                Atom::Equals(_, value) => {
                    let target = self.target_of_value(passing, same);
                    node.equal.insert(value.clone(), target);
                }
                Atom::EqualsFolded(_, text) => {
                    let target = self.target_of_value(passing, same);
                    node.folded.insert(text.clone(), target);
                }
                Atom::Present(_) => node.present = Some(self.target_of_value(passing, same)),
                Atom::Differs(_, constants) => {
                    node.scalars.get_or_insert_default().add_differs(constants, self.likely(&passing));
                }
                Atom::Beyond(_, op, number) => {
                    node.scalars.get_or_insert_default().add_bound(*op, number, self.likely(&passing));
                }
                Atom::Holds(_, text) => {
                    literals.push(text);
                    held.push(Target { entries: passing.iter().map(|p| self.entry(p)).collect(), node: None });
                }
            }
        }
        if !literals.is_empty() {
            let other = !node.equal.is_empty() || !node.folded.is_empty() || node.present.is_some();
            if Some(field) == self.whole && !other && node.scalars.is_none() {
                node.line = LineTest::new(&literals);
            }
            let first = self.index.targets.len() as u32;
            match Search::new(&literals) {
                Ok(search) => {
                    self.index.targets.append(&mut held);
                    node.held = Some((search, first));
                }
                // More text than an automaton can hold: the field has to be there, at least.
                Err(_) => {
                    let at = *node.present.get_or_insert(first);
                    if at == first {
                        self.index.targets.push(Target::default());
                    }
                    let entries = held.into_iter().flat_map(|target| target.entries);
                    self.index.targets[at as usize].entries.extend(entries);
                }
            }
        }
        node
    }

    /// Few predicates are named at once, many get a node.
    fn target_of_value(&mut self, passing: Vec<Passing>, same: &mut Map<Vec<(usize, u64, u64)>, u32>) -> u32 {
        let target = if passing.len() < WORTH_SEARCHING {
            Target { entries: passing.iter().map(|p| self.entry(p)).collect(), node: None }
        } else {
            let name: Vec<_> = passing.iter().map(|p| (p.candidate, p.known, p.used)).collect();
            let node = match same.get(&name) {
                Some(node) => *node,
                None => {
                    let node = self.node(passing);
                    same.insert(name, node);
                    node
                }
            };
            Target { entries: Vec::new(), node: Some(node) }
        };
        self.index.targets.push(target);
        (self.index.targets.len() - 1) as u32
    }

    fn likely(&self, passing: &[Passing]) -> Vec<Likely> {
        let likely =
            |p: &Passing| Likely { entry: self.entry(&Passing { known: p.known & !p.shown, ..*p }), part: p.shown };
        passing.iter().map(likely).collect()
    }

    fn entry(&self, p: &Passing) -> Entry {
        Entry { pred: self.candidates[p.candidate].pred, known: p.known }
    }

    /// Whether a clause is worth its while only where it saves asking many: all but the look-up of an exact value.
    fn searches(&self, candidate: usize, clause: usize) -> bool {
        let (_, clause) = &self.candidates[candidate].clauses[clause];
        !clause.atoms.iter().all(|atom| matches!(atom, Atom::Equals(..)))
    }

    /// Takes another clause, or none, for the predicates that alone need a field searched.
    fn spare_fields(&self, chosen: &mut [(Passing, Option<usize>)], root: bool) {
        let mut users: Map<FieldId, Vec<usize>> = Map::default();
        for (n, (p, clause)) in chosen.iter().enumerate() {
            for field in clause.iter().flat_map(|at| &self.numbered[p.candidate][*at].searched) {
                users.entry(*field).or_default().push(n);
            }
        }
        let mut fields: Vec<FieldId> = users.keys().copied().collect();
        fields.sort_by_key(|field| (users[field].len(), *field));
        let mut left: Vec<FieldId> = fields.clone();
        for field in fields {
            let still = |n: &usize| {
                let (p, clause) = &chosen[*n];
                clause.is_some_and(|at| self.numbered[p.candidate][at].searched.contains(&field))
            };
            let using: Vec<usize> = users[&field].iter().copied().filter(still).collect();
            let among = |other: &FieldId| *other != field && left.contains(other);
            let mut worse = 0.0;
            let mut moved = Vec::new();
            for n in using {
                let (p, clause) = &chosen[n];
                let now = clause.map_or(1.0, |at| self.clause_cost(p.candidate, at));
                let other = self.choose(p, root, false, &|numbered| numbered.searched.iter().all(among));
                worse += other.map_or(1.0, |(_, cost)| cost) - now;
                moved.push((n, other.map(|(clause, _)| clause)));
                if worse > FIELD {
                    break;
                }
            }
            if worse <= FIELD {
                left.retain(|other| *other != field);
                moved.into_iter().for_each(|(n, clause)| chosen[n].1 = clause);
            }
        }
    }

    /// The clause that is lit least often, as far as can be told, and how often. At the root values come first:
    /// whatever else is looked for then concerns only events with the value.
    fn choose(&self, p: &Passing, root: bool, few: bool, may: &dyn Fn(&Numbered) -> bool) -> Option<(usize, f64)> {
        let clauses = &self.candidates[p.candidate].clauses;
        let usable = clauses.iter().enumerate().take(64).filter(|(at, (_, clause))| {
            p.used & (1 << at) == 0
                && may(&self.numbered[p.candidate][*at])
                && !(few && self.searches(p.candidate, *at))
                && !clause.atoms.iter().any(|atom| atom.is_common() && Some(atom.field()) == self.whole)
        });
        let costs =
            usable.map(|(at, (_, clause))| ((root && !clause.is_of_values(), self.clause_cost(p.candidate, at)), at));
        costs.min_by(|((a, x), _), ((b, y), _)| a.cmp(b).then(x.total_cmp(y))).map(|((_, cost), at)| (at, cost))
    }

    fn clause_cost(&self, candidate: usize, clause: usize) -> f64 {
        let atoms = &self.numbered[candidate][clause].atoms;
        atoms.iter().map(|atom| self.cost(*atom)).sum::<f64>().min(1.0)
    }

    /// What many predicates look for is common.
    fn cost(&self, atom: u32) -> f64 {
        let of = self.atoms[atom as usize];
        let everything = if Some(of.field()) == self.whole { 50.0 } else { 1.0 };
        of.cost() * f64::from(self.usage[atom as usize].max(1)).sqrt() * everything
    }
}
