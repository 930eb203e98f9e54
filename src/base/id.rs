//! Small ids are newtypes over `u32`, so that a step can never index a rule table.
//!
//! Invariant: an id is only made by the table it indexes, so indexing with it cannot fail.

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub u32);

        impl $name {
            /// The id as an index into the table that made it.
            #[inline]
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl From<usize> for $name {
            fn from(index: usize) -> Self {
                Self(u32::try_from(index).expect("tables hold fewer than 2^32 entries"))
            }
        }
    };
}

id!(
    /// A rule of a rule set, in the order in which the rules were read.
    RuleId
);
id!(
    /// A step of one rule, in the order in which the steps are written.
    StepId
);
id!(
    /// A field path that some rule reads: its slot in a decoded event.
    FieldId
);
id!(
    /// A guard of one rule: an absence, `without`, `cancel on`, `until`, `unless` or `if`.
    GuardId
);
id!(
    /// A running statistic of one rule.
    StatId
);
id!(
    /// A stateless condition, interned over the whole rule set.
    PredId
);
id!(
    /// A list of key expressions, interned over the whole rule set.
    KeySpecId
);
id!(
    /// A look-up table of the rule set.
    TableId
);
