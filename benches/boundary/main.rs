//! What crosses the boundary to a host, without a host around it: `cargo bench --bench boundary -- RULES EVENTS`.
//!
//! Routes a file in blocks, sorts its events by key group, and steps its keys after each so many blocks, as tasks of Flink
//! do (`flink/`). Events are those of `tripline.flink.PackBench events`, or any other. Prints nanoseconds of
//! processor time an event; `valgrind --tool=callgrind` of the same command counts instructions.

use std::fs;

use tripline::host::blocks::Sorter;
use tripline::host::bundle::{Bundle, RuleText, Settings};
use tripline::host::task::Task;

/// As the library for Java has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Bytes of a block, and blocks between two watermarks: about as many events as come in Flink's usual fifth of a second.
const BLOCK: usize = 64 << 10;
const BLOCKS: usize = 64;

/// Key groups, as Flink has them for few tasks; keys and bytes that are kept ready.
const GROUPS: u32 = 128;
const KEYS: usize = 1 << 18;
const BYTES: usize = 256 << 20;

/// Numbers of an answer, which are big-endian.
struct Answer<'a>(&'a [u8]);

impl<'a> Answer<'a> {
    fn take(&mut self, bytes: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(bytes);
        self.0 = rest;
        taken
    }

    fn long(&mut self) -> i64 {
        i64::from_be_bytes(self.take(8).try_into().expect("eight bytes"))
    }

    fn int(&mut self) -> usize {
        u32::from_be_bytes(self.take(4).try_into().expect("four bytes")) as usize
    }

    fn bytes(&mut self) -> &'a [u8] {
        let length = self.int();
        self.take(length)
    }
}

/// Processor time of the stages.
#[derive(Default)]
struct Times([u64; 4]);

impl Times {
    #[inline(never)]
    fn of<T>(&mut self, stage: usize, work: impl FnOnce() -> T) -> T {
        let begun = processor_time();
        let done = work();
        self.0[stage] += processor_time() - begun;
        done
    }
}

/// Nanoseconds that this thread has run: others may run beside it.
fn processor_time() -> u64 {
    let text = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux says how long a thread has run");
    text.split_whitespace().next().and_then(|ns| ns.parse().ok()).expect("a number")
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [rules, events] = arguments.as_slice() else {
        println!("SKIPPED: name a file of rules and a file of events");
        return;
    };
    let text = RuleText { name: rules.clone(), text: fs::read_to_string(rules).expect("a file of rules") };
    let bundle = Bundle::new(vec![text], Settings::default(), &[]).to_bytes();
    let bytes = fs::read(events).expect("a file of events");
    let open = || Task::open(&bundle).unwrap_or_else(|error| panic!("{error}"));
    let (mut router, mut matcher, mut times) = (open(), open(), Times::default());
    matcher.hold(KEYS, BYTES, GROUPS, true);
    let (mut count, mut newest, mut start, mut size, mut alerts) = (0, i64::MIN, None, 0, 0_u64);
    let (mut steps, mut ready, mut sorter, mut blocks) = (0, 0, Sorter::new(GROUPS), 0);
    let mut left = &bytes[..];
    while !left.is_empty() {
        let end = left.len().min(BLOCK);
        let end = left[end..].iter().position(|byte| *byte == b'\n').map_or(left.len(), |at| end + at + 1);
        let (block, rest) = left.split_at(end);
        left = rest;
        let answer = times.of(0, || router.route(0, count + 1, 0, newest, block)).expect("it always routes");
        let mut answer = Answer(&answer);
        (newest, start) = (answer.long(), start.or(Some(answer.long()).filter(|start| *start > i64::MIN)));
        count += answer.int() as u64;
        answer.take(8);
        let items = answer.int();
        answer.take(items);
        times.of(1, || sorter.add(answer.0)).expect("they are whole");
        size += answer.0.len();
        blocks += 1;
        if blocks % BLOCKS != 0 && !left.is_empty() {
            continue;
        }
        let places: Vec<u32> = sorter.places().collect();
        times.of(2, || {
            for place in places {
                let fed = sorter.take(place, |block| matcher.feed(i64::MIN, block));
                fed.expect("they are of this release");
            }
        });
        let (watermark, at_end) =
            if left.is_empty() { (i64::MAX, newest) } else { (newest.div_euclid(1_000_000) - 1, i64::MIN) };
        let answer = times.of(3, || {
            matcher.due(watermark, at_end, &[]).expect("the call is whole");
            matcher.step(start.unwrap_or_default(), watermark, at_end).expect("they are of this release")
        });
        let mut answer = Answer(&answer);
        steps = answer.long();
        answer.take(24);
        ready = ready.max(answer.long());
        let mut lines = Answer(answer.bytes());
        while !lines.0.is_empty() {
            lines.bytes();
            alerts += 1;
        }
    }
    let [route, group, feed, step] = times.0.map(|time| time / count.max(1));
    println!("an event: routing {route} ns, sorting {group}, taking in {feed}, stepping {step}");
    println!(
        "{count} events, {:.1} bytes and {:.3} steps each; {alerts} alerts; {ready} keys at most",
        size as f64 / count as f64,
        steps as f64 / count as f64
    );
}
