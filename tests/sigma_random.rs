//! Random correlations over random events, held to an evaluator that is written from docs/sigma.md and shares no code.

mod sigma_support;

use proptest::prelude::*;
use serde_json::json;
use sigma_support::{fired, rules};

/// An event: time in seconds, kind, user, host, number.
#[derive(Clone, Debug)]
struct Event {
    time: i64,
    kind: usize,
    user: Option<usize>,
    host: Option<usize>,
    number: i64,
}

/// A correlation over the kinds `a`, `b` and `c`.
#[derive(Clone, Debug)]
enum Kind {
    Count { least: usize, most: Option<usize> },
    Distinct { least: usize },
    Sum { least: i64 },
    Mean { most: i64 },
    Temporal { wanted: usize },
    Ordered,
    Denied,
}

#[derive(Clone, Debug)]
struct Case {
    kind: Kind,
    /// Which kinds, in order.
    of: Vec<usize>,
    by_user: bool,
    timespan: i64,
    events: Vec<Event>,
}

const NAMES: [&str; 3] = ["a", "b", "c"];

fn event() -> impl Strategy<Value = Event> {
    (0..40_i64, 0..3_usize, prop::option::weighted(0.9, 0..2_usize), prop::option::weighted(0.9, 0..4_usize), 0..9_i64)
        .prop_map(|(time, kind, user, host, number)| Event { time, kind, user, host, number })
}

fn case() -> impl Strategy<Value = Case> {
    let kind = prop_oneof![
        (1..5_usize).prop_map(|least| Kind::Count { least, most: None }),
        (1..4_usize, 0..3_usize).prop_map(|(least, more)| Kind::Count { least, most: Some(least + more) }),
        (1..4_usize).prop_map(|least| Kind::Distinct { least }),
        (1..25_i64).prop_map(|least| Kind::Sum { least }),
        (1..8_i64).prop_map(|most| Kind::Mean { most }),
        (1..4_usize).prop_map(|wanted| Kind::Temporal { wanted }),
        Just(Kind::Ordered),
        Just(Kind::Denied),
    ];
    let of = prop::sample::subsequence(vec![0, 1, 2], 2..=3).prop_shuffle();
    (kind, of, any::<bool>(), 1..15_i64, prop::collection::vec(event(), 0..25)).prop_map(
        |(kind, of, by_user, timespan, mut events)| {
            events.sort_by_key(|event| event.time);
            Case { kind, of, by_user, timespan, events }
        },
    )
}

impl Case {
    fn yaml(&self) -> String {
        let mut text: String = NAMES
            .iter()
            .map(|name| {
                format!("title: {name}\nname: {name}\nlogsource: {{category: t}}\ndetection:\n  sel: {{kind: {name}}}\n  condition: sel\n---\n")
            })
            .collect();
        let names: Vec<&str> = self.of.iter().map(|at| NAMES[*at]).collect();
        let (kind, condition) = match &self.kind {
            Kind::Count { least, most: None } => ("event_count", format!("{{gte: {least}}}")),
            Kind::Count { least, most: Some(most) } => ("event_count", format!("{{gte: {least}, lte: {most}}}")),
            Kind::Distinct { least } => ("value_count", format!("{{field: host, gt: {}}}", least - 1)),
            Kind::Sum { least } => ("value_sum", format!("{{field: n, gte: {least}}}")),
            Kind::Mean { most } => ("value_avg", format!("{{field: n, lte: {most}}}")),
            Kind::Temporal { wanted } => ("temporal", format!("{{gte: {}}}", wanted.min(&names.len()))),
            Kind::Ordered => ("temporal_ordered", String::new()),
            Kind::Denied => ("temporal", format!("{} and not {}", names[0], names[1])),
        };
        text.push_str(&format!("title: Joined\ncorrelation:\n  type: {kind}\n  timespan: {}s\n", self.timespan));
        if !matches!(self.kind, Kind::Denied) {
            text.push_str(&format!("  rules: [{}]\n", names.join(", ")));
        }
        if self.by_user {
            text.push_str("  group-by: [user]\n");
        }
        if !condition.is_empty() {
            text.push_str(&format!("  condition: {condition}\n"));
        }
        text
    }

    /// What docs/sigma.md says: times of alerts with the user.
    fn expected(&self) -> Vec<String> {
        let keys: Vec<Option<usize>> = if self.by_user { vec![Some(0), Some(1)] } else { vec![None] };
        let mut found: Vec<(i64, Option<usize>)> = Vec::new();
        for key in keys {
            let own: Vec<&Event> = self.events.iter().filter(|event| key.is_none() || event.user == key).collect();
            let times = match &self.kind {
                Kind::Ordered => self.ordered(&own),
                Kind::Denied => self.denied(&own),
                Kind::Count { most: Some(_), .. } => self.closing(&own),
                _ => self.sliding(&own),
            };
            found.extend(times.into_iter().map(|time| (time, key)));
        }
        let mut shown: Vec<String> = found
            .into_iter()
            .map(|(time, key)| match key {
                Some(user) => format!("joined@{time} u{user}"),
                None => format!("joined@{time}"),
            })
            .collect();
        shown.sort();
        shown
    }

    fn holds(&self, window: &[&Event]) -> bool {
        let numbers = || window.iter().map(|event| event.number);
        match &self.kind {
            Kind::Count { least, most } => window.len() >= *least && most.is_none_or(|most| window.len() <= most),
            Kind::Distinct { least } => {
                (0..4).filter(|host| window.iter().any(|event| event.host == Some(*host))).count() >= *least
            }
            Kind::Sum { least } => !window.is_empty() && numbers().sum::<i64>() >= *least,
            Kind::Mean { most } => !window.is_empty() && numbers().sum::<i64>() <= most * window.len() as i64,
            Kind::Temporal { wanted } => {
                let there = self.of.iter().filter(|kind| window.iter().any(|event| event.kind == **kind)).count();
                there >= *wanted.min(&self.of.len())
            }
            Kind::Ordered | Kind::Denied => false,
        }
    }

    fn sliding(&self, own: &[&Event]) -> Vec<i64> {
        // An event without the field is none that is counted.
        let counts = |event: &Event| !matches!(self.kind, Kind::Distinct { .. }) || event.host.is_some();
        let own: Vec<&Event> =
            own.iter().copied().filter(|event| self.of.contains(&event.kind) && counts(event)).collect();
        let mut times = Vec::new();
        let mut before = false;
        for (at, event) in own.iter().enumerate() {
            let window: Vec<&Event> =
                own[..=at].iter().copied().filter(|other| other.time >= event.time - self.timespan).collect();
            if window.len() == 1 {
                before = false;
            }
            let now = self.holds(&window);
            if now && !before {
                times.push(event.time);
            }
            before = now;
        }
        times
    }

    fn closing(&self, own: &[&Event]) -> Vec<i64> {
        let mut windows: Vec<Vec<&Event>> = Vec::new();
        for event in own.iter().copied().filter(|event| self.of.contains(&event.kind)) {
            match windows.last_mut() {
                Some(window) if event.time <= window[0].time + self.timespan => window.push(event),
                _ => windows.push(vec![event]),
            }
        }
        windows.iter().filter(|window| self.holds(window)).map(|window| window[0].time + self.timespan).collect()
    }

    fn ordered(&self, own: &[&Event]) -> Vec<i64> {
        let mut times = Vec::new();
        let mut from = 0;
        for (at, event) in own.iter().enumerate() {
            // The newest beginning of each length that an order may have had: by hand, for every beginning.
            let complete = (from..=at).any(|start| {
                let mut wanted = self.of.iter();
                let mut next = wanted.next();
                let mut last = None;
                for (place, other) in own.iter().enumerate().take(at + 1).skip(start) {
                    if next == Some(&other.kind) {
                        last = Some(place);
                        next = wanted.next();
                    }
                }
                next.is_none()
                    && last.is_some_and(|last| own[last].time == event.time && last == at)
                    && own[start].kind == self.of[0]
                    && event.time - own[start].time <= self.timespan
            });
            if complete {
                times.push(event.time);
                from = at + 1;
            }
        }
        times
    }

    fn denied(&self, own: &[&Event]) -> Vec<i64> {
        let mut times: Vec<i64> = Vec::new();
        for event in own.iter().filter(|event| event.kind == self.of[0]) {
            let near = |other: &&&Event| other.kind == self.of[1] && (other.time - event.time).abs() <= self.timespan;
            let free = times.last().is_none_or(|used| event.time > *used);
            if free && !own.iter().any(|other| near(&other)) {
                times.push(event.time + self.timespan);
            }
        }
        times
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn correlations_mean_what_the_page_says(case in case()) {
        let set = rules(&case.yaml());
        let events: Vec<(f64, serde_json::Value)> = case
            .events
            .iter()
            .map(|event| {
                let mut fields = json!({"kind": NAMES[event.kind], "n": event.number});
                if let Some(user) = event.user {
                    fields["user"] = json!(format!("u{user}"));
                }
                if let Some(host) = event.host {
                    fields["host"] = json!(host);
                }
                (event.time as f64, fields)
            })
            .collect();
        let mut found: Vec<String> =
            fired(&set, &events).into_iter().filter(|alert| alert.starts_with("joined@")).collect();
        found.sort();
        prop_assert_eq!(found, case.expected(), "{}", case.yaml());
    }
}
