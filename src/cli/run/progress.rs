//! The progress line of a run: bytes read, events a second, alerts, and how far event time has come.
#![expect(clippy::disallowed_methods, reason = "progress is shown in wall-clock time")]

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tripline::engine;

/// How often the line is written anew.
const EVERY: Duration = Duration::from_millis(200);

/// A progress line, or nothing.
pub struct Progress {
    bar: Option<ProgressBar>,
    /// Alerts appear on the same terminal, so the line has to step aside for them.
    shares_terminal: bool,
    started: Instant,
    shown: Instant,
}

impl Progress {
    /// A line on stderr, if that is a terminal and it is wanted. `total` is the number of bytes, if known.
    pub fn new(wanted: bool, total: Option<u64>) -> Self {
        let now = Instant::now();
        let bar = (wanted && io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(5));
            let template = match total {
                Some(_) => "{wide_bar} {percent}% {msg}",
                None => "{spinner} {msg}",
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar
        });
        Self { bar, shares_terminal: io::stdout().is_terminal(), started: now, shown: now }
    }

    /// Shows how far the run is, now and then.
    pub fn update(&mut self, sofar: engine::Progress) {
        let Some(bar) = &self.bar else { return };
        let now = Instant::now();
        if now.duration_since(self.shown) < EVERY {
            return;
        }
        self.shown = now;
        let seconds = now.duration_since(self.started).as_secs_f64().max(0.001);
        let rate = (sofar.events as f64 / seconds) as u64;
        let mut message = format!("{} MB, {rate} events/s, {} alerts", sofar.bytes / 1_000_000, sofar.alerts);
        if let Some(time) = sofar.watermark {
            message.push_str(&format!(", at {time}"));
        }
        bar.set_position(sofar.bytes);
        bar.set_message(message);
    }

    /// Does something that writes to stdout, with the line out of the way.
    pub fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) if self.shares_terminal => bar.suspend(write),
            _ => write(),
        }
    }

    /// Takes the line away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
