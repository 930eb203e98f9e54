//! Keys come and go, packed and not, and the ledger knows what they take.

use super::*;
use crate::base::{Account, Budget};
use crate::matcher::counter::Counter;
use crate::plan::event::{Seq, StoredEvent};

fn key(n: u32) -> Vec<u8> {
    format!("key {n}").into_bytes()
}

fn ledger() -> Ledger {
    Ledger::new(Account::new(&Budget::new(Some(1 << 30)), 1))
}

const ONLY: Member = Member(0);

/// A window with an event.
fn held() -> KeyState {
    let event = StoredEvent {
        ts: Timestamp(7),
        seq: Seq::default(),
        arrival: Timestamp(0),
        fields: Default::default(),
        raw: None,
        origins: Box::default(),
    };
    KeyState { run: RunState::Counter(Counter::of([event])), past: None }
}

fn alone() -> KeyTable {
    KeyTable::new(0, Group::single(RuleId(0)))
}

fn begin(table: &mut KeyTable, key: &[u8], member: Member, ledger: &mut Ledger) -> u32 {
    let at = table.find_or_insert(key, key::hash(key));
    let live = table.live(at, member, |_| {}).expect("it is in use");
    live.put(member, held());
    table.settle((0, at, member), 0, false, |_| None, ledger);
    at
}

fn table_of(keys: u32, ledger: &mut Ledger) -> KeyTable {
    let mut table = alone();
    for n in 0..keys {
        let at = begin(&mut table, &key(n), ONLY, ledger);
        *table.armed(at).expect("just made") = Timestamp(i64::from(n));
    }
    table
}

/// Packs every second one; the first time that it is asked for, something has just come for it.
fn pack_half(table: &mut KeyTable, ledger: &mut Ledger) {
    for at in (0..table.slots.len() as u32).step_by(2) {
        assert!(!table.pack(at, ledger) && table.pack(at, ledger));
    }
}

fn in_slots(table: &KeyTable) -> usize {
    table.slots.iter().filter(|slot| !slot.is_free()).map(|slot| slot.entry().bytes).sum()
}

#[test]
fn packed_keys_come_back_as_they_were() {
    let mut ledger = ledger();
    let mut table = table_of(1000, &mut ledger);
    let live = ledger.slots();
    pack_half(&mut table, &mut ledger);
    assert!(ledger.slots() < live * 2 / 3, "{} of {live}", ledger.slots());
    assert_eq!((table.len(), table.keys(ONLY).len(), table.sorted(ONLY).len()), (1000, 1000, 1000));
    for n in 0..1000 {
        let at = table.find(&key(n), key::hash(&key(n))).expect("it was put in");
        assert_eq!(table.armed(at).copied(), Some(Timestamp(i64::from(n))));
        let live = table.live(at, ONLY, |_| {}).expect("it is in use");
        assert_eq!(live.key.as_slice(), key(n));
        assert!(live.get(ONLY).is_some_and(|state| matches!(state.run, RunState::Counter(_))));
        table.settle((0, at, ONLY), 0, true, |_| None, &mut ledger);
    }
    assert_eq!(ledger.slots(), live);
}

#[test]
fn freed_slots_are_used_again() {
    let mut ledger = ledger();
    let mut table = table_of(100, &mut ledger);
    pack_half(&mut table, &mut ledger);
    for n in (0..100).step_by(3) {
        let at = table.find(&key(n), key::hash(&key(n))).expect("it was put in");
        table.remove(at, &mut ledger);
        table.remove(at, &mut ledger);
        assert_eq!(table.armed(at), None);
        assert!(table.live(at, ONLY, |_| {}).is_none());
    }
    assert_eq!((table.len(), table.slots.len()), (66, 100));
    assert_eq!(ledger.slots(), in_slots(&table));
    for n in 100..134 {
        begin(&mut table, &key(n), ONLY, &mut ledger);
    }
    assert_eq!((table.len(), table.slots.len()), (100, 100));
    assert!(table.find(&key(3), key::hash(&key(3))).is_none());
    assert!(table.find(&key(133), key::hash(&key(133))).is_some());
    assert_eq!(ledger.slots(), in_slots(&table));
    for at in 0..100 {
        table.remove(at, &mut ledger);
    }
    assert_eq!((table.len(), ledger.slots()), (0, 0));
}

#[test]
fn a_rule_without_a_key_has_one_state() {
    let mut table = alone();
    let at = table.find_or_insert(&[], 77);
    assert_eq!(table.find(&[], 78), Some(at));
    table.remove(at, &mut ledger());
    assert!(table.is_empty());
}

#[test]
fn rules_that_share_a_key_come_and_go_by_themselves() {
    let mut ledger = ledger();
    let mut table = KeyTable::new(0, Group::ending((0..3).map(RuleId)));
    table.track();
    let members = [Member(2), Member(0)];
    let at = members.map(|member| begin(&mut table, b"user", member, &mut ledger))[0];
    let changes = |table: &mut KeyTable| {
        let mut changes = Changes::default();
        table.take_changed(&mut changes);
        let chunks = changes.chunks.iter().flat_map(|chunk| crate::matcher::saved::read_chunk(chunk).expect("read"));
        chunks.map(|change| (change.rule, change.state.is_some())).collect::<Vec<_>>()
    };
    assert_eq!(changes(&mut table), [(2, true), (0, true)]);
    assert!(!table.pack(at, &mut ledger) && table.pack(at, &mut ledger));
    assert!([true, false, true] == [0, 1, 2].map(|member| table.holds(at, Member(member))));
    assert_eq!(table.held(at).iter().map(|(rule, _)| rule.0).collect::<Vec<_>>(), [0, 2]);
    assert_eq!((table.keys(Member(1)).len(), table.sorted(Member(2)).len()), (0, 1));
    assert!(table.at_rest(Member(0)).is_some() && table.at_rest(Member(1)).is_none());
    let ends = |table: &mut KeyTable, member: Member, ledger: &mut Ledger| {
        table.live(at, member, |_| {}).expect("it is in use").put(member, KeyState::default());
        table.settle((0, at, member), 0, false, |_| None, ledger);
    };
    ends(&mut table, Member(0), &mut ledger);
    assert_eq!(changes(&mut table), [(0, false)]);
    assert_eq!((table.len(), ledger.slots()), (1, in_slots(&table)));
    ends(&mut table, Member(2), &mut ledger);
    assert_eq!(changes(&mut table), [(2, false)]);
    assert_eq!((table.len(), ledger.slots()), (0, 0));
}
