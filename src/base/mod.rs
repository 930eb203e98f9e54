//! Words everyone uses: ids, time, values, limits. Imports nothing of ours.

pub mod attack;
pub mod budget;
pub mod calendar;
pub mod crew;
pub mod function;
pub mod id;
pub mod limits;
pub mod time;
pub mod value;
pub mod visible;
pub mod wildcard;

pub use budget::{Account, Budget};
pub use calendar::Zone;
pub use id::{FieldId, RuleId, StepId};
pub use limits::Limits;
pub use time::{Duration, Timestamp};
pub use value::{Value, ValueRef};
pub use visible::visible;
