//! The boundary to a Java virtual machine: the calls of [`crate::host::task::Task`] as native methods of
//! `tripline.flink.Native`.
//!
//! A task is a number that the Java side keeps; it calls from one thread at a time and closes it once, which is what the
//! only `unsafe` code of the library relies on. A panic stops at the boundary and becomes a `tripline.flink.RuleException`
//! that names the rule and the key, as errors do: the virtual machine lives on.
#![expect(unsafe_code, reason = "native methods have fixed names, and a task is passed as a number")]

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use jni::errors::{Result, ThrowRuntimeExAndDefault};
use jni::jni_str;
use jni::objects::{JByteArray, JClass};
use jni::strings::JNIString;
use jni::sys::{jboolean, jint, jlong};
use jni::{Env, EnvUnowned};

use crate::host::FormatError;
use crate::host::blocks::Sorter;
use crate::host::task::{Task, TaskError};

/// Inside a virtual machine there is nobody else to choose it; see `main.rs`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without a text".to_owned())
}

/// Does something with the task behind a number; errors and panics as a text for people.
fn with_task<T>(handle: jlong, work: impl FnOnce(&mut Task) -> std::result::Result<T, TaskError>) -> Caught<T> {
    // SAFETY: `open` made it, `close` was not called yet, and the Java side calls from one thread at a time.
    let task = unsafe { &mut *(handle as *mut Task) };
    match catch_unwind(AssertUnwindSafe(|| work(task))) {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(payload) => {
            let place = catch_unwind(AssertUnwindSafe(|| task.place())).ok().flatten();
            let place = place.map_or_else(String::new, |(rule, key)| format!("rule `{rule}`, key {key}: "));
            Err(format!("{place}the matcher panicked: {}", panic_text(&*payload)))
        }
    }
}

type Caught<T> = std::result::Result<T, String>;

/// Runs a native method: what it gives, or an exception and the default value.
fn native<'a, T: Default>(mut env: EnvUnowned<'a>, work: impl FnOnce(&mut Env<'a>) -> Result<Caught<T>>) -> T {
    let outcome = env.with_env(|env| -> Result<T> {
        match work(env)? {
            Ok(value) => Ok(value),
            Err(text) => {
                // An exception is under way then, and this is how its throwing is told.
                let _ = env.throw_new(jni_str!("tripline/flink/RuleException"), JNIString::new(text));
                Ok(T::default())
            }
        }
    });
    outcome.resolve::<ThrowRuntimeExAndDefault>()
}

/// As [`native`], for methods that give bytes.
fn bytes<'a>(env: EnvUnowned<'a>, work: impl FnOnce(&mut Env<'a>) -> Result<Caught<Vec<u8>>>) -> JByteArray<'a> {
    native(env, |env| match work(env)? {
        Ok(bytes) => Ok(Ok(env.byte_array_from_slice(&bytes)?)),
        Err(text) => Ok(Err(text)),
    })
}

/// `long open(byte[] bundle)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_tripline_flink_Native_open<'a>(
    env: EnvUnowned<'a>,
    _class: JClass<'a>,
    bundle: JByteArray<'a>,
) -> jlong {
    native(env, |env| {
        let bundle = env.convert_byte_array(bundle)?;
        let opened = catch_unwind(|| Task::open(&bundle));
        Ok(match opened {
            Ok(Ok(task)) => Ok(Box::into_raw(Box::new(task)) as jlong),
            Ok(Err(error)) => Err(error.to_string()),
            Err(payload) => Err(format!("the compiler panicked: {}", panic_text(&*payload))),
        })
    })
}

/// `void close(long task)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_tripline_flink_Native_close<'a>(_env: EnvUnowned<'a>, _class: JClass<'a>, task: jlong) {
    // SAFETY: `open` made it, and the Java side calls this once, last of all.
    drop(unsafe { Box::from_raw(task as *mut Task) });
}

/// `byte[] facts(long task)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_tripline_flink_Native_facts<'a>(
    env: EnvUnowned<'a>,
    _class: JClass<'a>,
    task: jlong,
) -> JByteArray<'a> {
    bytes(env, |_| Ok(with_task(task, |task| Ok(task.facts()))))
}

/// `byte[] route(long task, int input, long firstLine, long arrival, long newest, byte[] block)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_tripline_flink_Native_route<'a>(
    env: EnvUnowned<'a>,
    _class: JClass<'a>,
    task: jlong,
    input: jint,
    first_line: jlong,
    arrival: jlong,
    newest: jlong,
    block: JByteArray<'a>,
) -> JByteArray<'a> {
    bytes(env, |env| {
        let block = env.convert_byte_array(block)?;
        let (input, first_line) = (input as u16, first_line as u64);
        Ok(with_task(task, |task| task.route(input, first_line, arrival, newest, &block)))
    })
}

/// `long sorter(int groups)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_tripline_flink_Native_sorter<'a>(
    _env: EnvUnowned<'a>,
    _class: JClass<'a>,
    groups: jint,
) -> jlong {
    Box::into_raw(Box::new(Sorter::new(groups as u32))) as jlong
}

/// `void closeSorter(long sorter)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_tripline_flink_Native_closeSorter<'a>(
    _env: EnvUnowned<'a>,
    _class: JClass<'a>,
    sorter: jlong,
) {
    // SAFETY: `sorter` made it, and the Java side calls this once, last of all.
    drop(unsafe { Box::from_raw(sorter as *mut Sorter) });
}

/// Does something with the sorter behind a number.
fn with_sorter<T>(handle: jlong, work: impl FnOnce(&mut Sorter) -> std::result::Result<T, FormatError>) -> Caught<T> {
    // SAFETY: as for a task.
    let sorter = unsafe { &mut *(handle as *mut Sorter) };
    match catch_unwind(AssertUnwindSafe(|| work(sorter))) {
        Ok(done) => done.map_err(|error| error.to_string()),
        Err(payload) => Err(format!("the sorting of events panicked: {}", panic_text(&*payload))),
    }
}

/// `void sort(long sorter, byte[] events)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_tripline_flink_Native_sort<'a>(
    env: EnvUnowned<'a>,
    _class: JClass<'a>,
    sorter: jlong,
    events: JByteArray<'a>,
) {
    native(env, |env| {
        let events = env.convert_byte_array(events)?;
        Ok(with_sorter(sorter, |sorter| sorter.add(&events)))
    });
}

/// `byte[] sorted(long sorter)`: the places of blocks, four bytes each.
#[unsafe(no_mangle)]
pub extern "system" fn Java_tripline_flink_Native_sorted<'a>(
    env: EnvUnowned<'a>,
    _class: JClass<'a>,
    sorter: jlong,
) -> JByteArray<'a> {
    bytes(env, |_| Ok(with_sorter(sorter, |sorter| Ok(sorter.places().flat_map(u32::to_be_bytes).collect()))))
}

/// `byte[] take(long sorter, int place)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_tripline_flink_Native_take<'a>(
    env: EnvUnowned<'a>,
    _class: JClass<'a>,
    sorter: jlong,
    place: jint,
) -> JByteArray<'a> {
    native(env, |env| {
        let taken =
            with_sorter(sorter, |sorter| Ok(sorter.take(place as u32, |block| env.byte_array_from_slice(block))));
        match taken {
            Ok(block) => Ok(Ok(block?)),
            Err(text) => Ok(Err(text)),
        }
    })
}

/// `void hold(long task, int keys, long bytes, int groups, boolean anew)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_tripline_flink_Native_hold<'a>(
    env: EnvUnowned<'a>,
    _class: JClass<'a>,
    task: jlong,
    keys: jint,
    bytes: jlong,
    groups: jint,
    anew: jboolean,
) {
    let (keys, bytes) = (keys.max(0) as usize, bytes.max(0) as usize);
    native(env, |_| {
        Ok(with_task(task, |task| {
            task.hold(keys, bytes, groups as u32, anew);
            Ok(())
        }))
    });
}

/// `byte[] feed(long task, long watermark, byte[] block)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_tripline_flink_Native_feed<'a>(
    env: EnvUnowned<'a>,
    _class: JClass<'a>,
    task: jlong,
    watermark: jlong,
    block: JByteArray<'a>,
) -> JByteArray<'a> {
    bytes(env, |env| {
        let block = env.convert_byte_array(block)?;
        Ok(with_task(task, |task| task.feed(watermark, &block)))
    })
}

/// `byte[] due(long task, long watermark, long newest, byte[] rung)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_tripline_flink_Native_due<'a>(
    env: EnvUnowned<'a>,
    _class: JClass<'a>,
    task: jlong,
    watermark: jlong,
    newest: jlong,
    rung: JByteArray<'a>,
) -> JByteArray<'a> {
    bytes(env, |env| {
        let rung = env.convert_byte_array(rung)?;
        Ok(with_task(task, |task| task.due(watermark, newest, &rung)))
    })
}

/// `void load(long task, byte[] kept)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_tripline_flink_Native_load<'a>(
    env: EnvUnowned<'a>,
    _class: JClass<'a>,
    task: jlong,
    kept: JByteArray<'a>,
) {
    native(env, |env| {
        let kept = env.convert_byte_array(kept)?;
        Ok(with_task(task, |task| task.load(&kept)))
    });
}

/// `byte[] step(long task, long start, long watermark, long newest)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_tripline_flink_Native_step<'a>(
    env: EnvUnowned<'a>,
    _class: JClass<'a>,
    task: jlong,
    start: jlong,
    watermark: jlong,
    newest: jlong,
) -> JByteArray<'a> {
    bytes(env, |_| Ok(with_task(task, |task| task.step(start, watermark, newest))))
}

/// `byte[] putBack(long task, int why)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_tripline_flink_Native_putBack<'a>(
    env: EnvUnowned<'a>,
    _class: JClass<'a>,
    task: jlong,
    why: jint,
) -> JByteArray<'a> {
    bytes(env, |_| Ok(with_task(task, |task| task.put_back(why))))
}

/// `void gather(long task, byte[] items)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_tripline_flink_Native_gather<'a>(
    env: EnvUnowned<'a>,
    _class: JClass<'a>,
    task: jlong,
    items: JByteArray<'a>,
) {
    native(env, |env| {
        let items = env.convert_byte_array(items)?;
        Ok(with_task(task, |task| task.gather(&items)))
    });
}

/// `byte[] advance(long task, long start, long watermark, long newest)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_tripline_flink_Native_advance<'a>(
    env: EnvUnowned<'a>,
    _class: JClass<'a>,
    task: jlong,
    start: jlong,
    watermark: jlong,
    newest: jlong,
) -> JByteArray<'a> {
    bytes(env, |_| Ok(with_task(task, |task| task.advance(start, watermark, newest))))
}

/// `byte[] save(long task)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_tripline_flink_Native_save<'a>(
    env: EnvUnowned<'a>,
    _class: JClass<'a>,
    task: jlong,
) -> JByteArray<'a> {
    bytes(env, |_| Ok(with_task(task, |task| Ok(task.save()))))
}

/// `void restore(long task, byte[] state)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_tripline_flink_Native_restore<'a>(
    env: EnvUnowned<'a>,
    _class: JClass<'a>,
    task: jlong,
    state: JByteArray<'a>,
) {
    native(env, |env| {
        let state = env.convert_byte_array(state)?;
        Ok(with_task(task, |task| task.restore(&state)))
    });
}
