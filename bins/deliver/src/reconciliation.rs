//! The platform's own figures, plans and zones beside ours: what backfill fetched of them is compared with the windows of days.
//!
//! [`gather`] reads, [`judge`] compares (`crates/reconcile` has the rules), [`keep`] writes what came of it. No platform is asked here: a
//! comparison is as new as what was fetched, and can be made again at any time.

pub mod gather;
pub mod judge;
pub mod keep;
pub mod pairs;

use reconcile::Policy;
use schema::UtcMicros;
use timezone::Schedule;

/// What is to be compared.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The organisation.
    pub tenant: String,
    /// The platform, as the platforms file names it.
    pub platform: String,
    /// Days that begin at this instant or later.
    pub from: UtcMicros,
    /// Days that begin before this instant.
    pub to: UtcMicros,
    /// The business hours that shifts are laid beside; read by each agent's clock.
    pub hours: Option<Schedule>,
    /// Other KPIs than the usual ones: measure and KPI.
    pub metrics: Vec<(reconcile::Measure, String)>,
    /// What ours leaves out; its tolerance is found from the figures.
    pub policy: Policy,
}
