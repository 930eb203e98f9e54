//! SIGHUP: tables are read anew, while partial matches stay as they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::SIGHUP;
use signal_hook::flag;
use tripline::plan::Ruleset;

use crate::cli::exit::Stop;
use crate::cli::terminal::note;

/// Reads tables anew when it is asked to.
pub struct Reload<'a> {
    asked: Arc<AtomicBool>,
    running: Arc<Ruleset>,
    compile: Box<dyn Fn() -> Result<Arc<Ruleset>, Stop> + 'a>,
}

impl<'a> Reload<'a> {
    /// Listens for the signal. `compile` reads rules and tables as the run did when it began.
    pub fn on_hangup(
        running: &Arc<Ruleset>,
        compile: impl Fn() -> Result<Arc<Ruleset>, Stop> + 'a,
    ) -> Result<Self, Stop> {
        let asked = Arc::new(AtomicBool::new(false));
        flag::register(SIGHUP, asked.clone())
            .map_err(|error| Stop::failed(format!("signals cannot be caught: {error}")))?;
        Ok(Self { asked, running: Arc::clone(running), compile: Box::new(compile) })
    }

    /// The new tables, if they were asked for and can be used; otherwise the run goes on with the old ones.
    pub fn take(&mut self) -> Option<Arc<Ruleset>> {
        if !self.asked.swap(false, Ordering::Relaxed) {
            return None;
        }
        match (self.compile)() {
            Ok(rules) if rules.differs_only_in_tables(&self.running) => {
                note(&format!("{} read anew\n", if rules.tables.len() == 1 { "1 table" } else { "all tables" }));
                Some(rules)
            }
            Ok(_) => {
                note("the rules have changed, so nothing was read anew: start the program again to use them\n");
                None
            }
            Err(_) => {
                note("the tables could not be read; the old ones stay in use\n");
                None
            }
        }
    }
}
