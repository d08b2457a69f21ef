//! Where the platform stands: its time, its jobs, and what is told by now.

use super::books::Books;
use super::jobs::Board;
use super::moment::Moment;
use super::past::{Past, View};
use crate::config::History;
use crate::limits::Window;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What can be changed while the double runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Change {
    /// Another time on the platform, from which it goes on.
    pub now: Option<Moment>,
    /// Whether conversations that appear late are there.
    pub late: Option<bool>,
    /// Whether conversations that are told otherwise later, are.
    pub revised: Option<bool>,
}

/// The tenant's one extraction.
#[derive(Debug, Clone)]
pub(crate) struct Extraction {
    pub(crate) id: String,
    pub(crate) began: Instant,
    pub(crate) from: i64,
    pub(crate) until: i64,
    pub(crate) view: View,
    /// Links to its file, and until when each is good.
    pub(crate) links: Vec<(String, Instant)>,
}

/// Everything of the history's side that changes.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) past: Arc<Past>,
    pub(crate) board: Board,
    pub(crate) extractions: Vec<Extraction>,
    /// By client and route.
    pub(crate) windows: HashMap<(String, &'static str), Window>,
    pub(crate) refusals: u64,
    /// How many records of a set that is paged by number have moved, by the set.
    pub(crate) moved: BTreeMap<String, usize>,
    pub(crate) books: Books,
    began: Instant,
    /// The platform's time at an instant of ours.
    clock: (Instant, Moment),
    late: Option<bool>,
    revised: Option<bool>,
}

impl State {
    pub(crate) fn new(history: &History) -> Self {
        let past = Arc::new(Past::new(history));
        let began = Instant::now();
        Self {
            clock: (began, past.first_now()),
            past,
            board: Board::default(),
            extractions: Vec::new(),
            windows: HashMap::new(),
            refusals: 0,
            moved: BTreeMap::new(),
            books: Books::default(),
            began,
            late: None,
            revised: None,
        }
    }

    /// What time it is on the platform.
    #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)] // a test's length in milliseconds
    pub(crate) fn now(&self, at: Instant) -> Moment {
        let passed = at.saturating_duration_since(self.clock.0).as_secs_f64() * 1_000.0;
        let passed = (passed * self.past.history.clock.speed) as i64;
        self.clock.1.plus(passed)
    }

    /// Up to when the data lake's data goes.
    pub(crate) fn available(&self, at: Instant) -> Moment {
        self.now(at).plus(-self.past.history.clock.lag_ms)
    }

    /// What is known up to this time of the platform, asked now.
    pub(crate) fn view(&self, as_of: Moment, at: Instant) -> View {
        let history = &self.past.history;
        let passed = at.saturating_duration_since(self.began);
        let due = |after: Option<u64>| after.is_some_and(|it| passed >= Duration::from_millis(it));
        View {
            as_of: as_of.0,
            late: self.late.unwrap_or_else(|| due(history.late.after_ms)),
            revised: self.revised.unwrap_or_else(|| due(history.revised.after_ms)),
        }
    }

    pub(crate) fn change(&mut self, change: &Change) {
        if let Some(now) = change.now {
            self.clock = (Instant::now(), now);
        }
        self.late = change.late.or(self.late);
        self.revised = change.revised.or(self.revised);
    }

    /// How many records of this set have moved by the time this page is asked for.
    pub(crate) fn moves(&mut self, set: &str, is_first_page: bool) -> usize {
        let most = self.past.history.pages.moves;
        if most == 0 {
            return 0;
        }
        let moved = self.moved.entry(set.to_owned()).or_default();
        if !is_first_page && *moved < most {
            *moved += 1;
        }
        *moved
    }
}

/// The `nth` of a set of so many, of which the first few have moved to its end.
pub(crate) const fn after_moves(nth: usize, length: usize, moved: usize) -> usize {
    let moved = if moved > length { length } else { moved };
    if nth < length - moved {
        nth + moved
    } else {
        nth - (length - moved)
    }
}
