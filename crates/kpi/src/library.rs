//! What definitions refer to, and what ships with this release.

use schema::MetricVersion;
use std::collections::BTreeMap;
use std::sync::Arc;
use timezone::{Places, Schedule};

/// The schedules by name and version, and the places of agents, queues and organisations.
#[derive(Debug, Clone, Default)]
pub struct Library {
    schedules: BTreeMap<(String, u16), Arc<Schedule>>,
    places: Arc<Places>,
}

impl Library {
    /// A library of these. Of two schedules of one name and version the later holds.
    pub fn new(schedules: impl IntoIterator<Item = Schedule>, places: Places) -> Self {
        let schedules = schedules
            .into_iter()
            .map(|schedule| {
                let key = (schedule.name().to_owned(), schedule.version());
                (key, Arc::new(schedule))
            })
            .collect();
        Self {
            schedules,
            places: Arc::new(places),
        }
    }

    /// What ships: the schedules of `crates/kpi/schedules`, and no places.
    pub fn shipped() -> Self {
        // That each can be read is what a test looks at; one that could not is missed by the definitions that refer to it.
        let schedules = SCHEDULES
            .iter()
            .filter_map(|shipped| Schedule::read(shipped.text).ok());
        Self::new(schedules, Places::empty())
    }

    /// This library and these besides, which have the last word.
    #[must_use]
    pub fn with(
        &self,
        schedules: impl IntoIterator<Item = Schedule>,
        places: Option<Places>,
    ) -> Self {
        let mut more = self.clone();
        more.schedules.extend(schedules.into_iter().map(|schedule| {
            let key = (schedule.name().to_owned(), schedule.version());
            (key, Arc::new(schedule))
        }));
        if let Some(places) = places {
            more.places = Arc::new(places);
        }
        more
    }

    /// A schedule in exactly that version.
    pub fn schedule(&self, name: &str, version: u16) -> Option<&Arc<Schedule>> {
        self.schedules.get(&(name.to_owned(), version))
    }

    /// All schedules, ascending by name and version.
    pub fn schedules(&self) -> impl Iterator<Item = &Arc<Schedule>> {
        self.schedules.values()
    }

    /// The places.
    pub fn places(&self) -> &Places {
        &self.places
    }
}

/// A text that ships with this release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shipped {
    /// The file's name.
    pub file: &'static str,
    /// The name that the text gives.
    pub name: &'static str,
    /// The version that the text gives.
    pub version: MetricVersion,
    /// The text.
    pub text: &'static str,
}

/// The definitions that ship, in the order in which they are evaluated: the six oldest first.
pub const fn shipped_definitions() -> &'static [Shipped] {
    DEFINITIONS
}

/// The schedules that ship.
pub const fn shipped_schedules() -> &'static [Shipped] {
    SCHEDULES
}

macro_rules! shipped {
    ($folder:literal: $($name:literal $version:literal $file:literal,)*) => {
        &[$(Shipped {
            file: $file,
            name: $name,
            version: MetricVersion($version),
            text: include_str!(concat!("../", $folder, "/", $file)),
        }),*]
    };
}

const SCHEDULES: &[Shipped] = shipped!("schedules": "eight_to_six" 1 "eight_to_six.toml",);

#[rustfmt::skip]
const DEFINITIONS: &[Shipped] = shipped!("catalogue":
    "adjusted_aht" 1 "adjusted_aht.toml",
    "handle_time" 1 "handle_time.toml",
    "talk_time" 1 "talk_time.toml",
    "hold_time" 1 "hold_time.toml",
    "wrap_time" 1 "wrap_time.toml",
    "queue_wait" 1 "queue_wait.toml",
    "offered" 1 "offered.toml",
    "handled" 1 "handled.toml",
    "abandoned" 1 "abandoned.toml",
    "short_abandoned" 1 "short_abandoned.toml",
    "abandoned_in_ivr" 1 "abandoned_in_ivr.toml",
    "flowed_out" 1 "flowed_out.toml",
    "missed" 1 "missed.toml",
    "contained" 1 "contained.toml",
    "service_level_offered" 1 "service_level_offered.toml",
    "service_level_answered" 1 "service_level_answered.toml",
    "service_level_without_short" 1 "service_level_without_short.toml",
    "service_level_positive" 1 "service_level_positive.toml",
    "service_level_with_missed" 1 "service_level_with_missed.toml",
    "speed_of_answer" 1 "speed_of_answer.toml",
    "time_to_abandon" 1 "time_to_abandon.toml",
    "longest_wait" 1 "longest_wait.toml",
    "abandonment_rate" 1 "abandonment_rate.toml",
    "short_abandonment_rate" 1 "short_abandonment_rate.toml",
    "first_answer_in_hours" 1 "first_answer_in_hours.toml",
    "adjusted_aht_transfers" 1 "adjusted_aht_transfers.toml",
    "aht" 1 "aht.toml",
    "customer_handle_time" 1 "customer_handle_time.toml",
    "contact_duration" 1 "contact_duration.toml",
    "alert_time" 1 "alert_time.toml",
    "held" 1 "held.toml",
    "holds" 1 "holds.toml",
    "longest_hold" 1 "longest_hold.toml",
    "transferred" 1 "transferred.toml",
    "blind_transferred" 1 "blind_transferred.toml",
    "consult_transferred" 1 "consult_transferred.toml",
    "conferenced" 1 "conferenced.toml",
    "agents" 1 "agents.toml",
    "resolved_by_disposition" 1 "resolved_by_disposition.toml",
    "leg_handle_time" 1 "leg_handle_time.toml",
    "leg_talk_time" 1 "leg_talk_time.toml",
    "leg_hold_time" 1 "leg_hold_time.toml",
    "leg_wrap_time" 1 "leg_wrap_time.toml",
    "leg_missed" 1 "leg_missed.toml",
    "leg_transferred" 1 "leg_transferred.toml",
    "first_contact_resolution" 1 "first_contact_resolution.toml",
    "first_contact_resolution_disposition" 1 "first_contact_resolution_disposition.toml",
    "repeat_contact" 1 "repeat_contact.toml",
    "contacts_per_issue" 1 "contacts_per_issue.toml",
    "occupancy" 1 "occupancy.toml",
    "utilisation" 1 "utilisation.toml",
    "adherence" 1 "adherence.toml",
    "logged_in_time" 1 "logged_in_time.toml",
    "on_queue_time" 1 "on_queue_time.toml",
    "break_time" 1 "break_time.toml",
);
