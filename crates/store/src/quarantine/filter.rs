//! Which items are meant.

use crate::error::StoreError;
use crate::pool::Connection;
use crate::sql::{self, Params, Sql};
use crate::types::Instant;
use schema::{DeliveryId, UtcMicros};
use tokio_postgres::Row;

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// It waits for somebody's decision.
    Held,
    /// It was put back to be processed again.
    Released,
    /// Nobody wants it.
    Discarded,
}

impl Status {
    /// Its name in the table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Released => "released",
            Self::Discarded => "discarded",
        }
    }

    /// The inverse; the table's check lets no other name in.
    pub(super) fn read(name: &str) -> Self {
        match name {
            "released" => Self::Released,
            "discarded" => Self::Discarded,
            _ => Self::Held,
        }
    }
}

/// Conditions on items; each that is absent lets all through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The organisation.
    pub tenant: Option<String>,
    /// Where it came in.
    pub subscription: Option<String>,
    /// The stage that could not process it.
    pub stage: Option<String>,
    /// The field at fault.
    pub field: Option<String>,
    /// Part of the reason, as it is written.
    pub reason: Option<String>,
    /// Received at this instant or later.
    pub since: Option<UtcMicros>,
    /// Received before this instant.
    pub until: Option<UtcMicros>,
    /// The delivery that brought it.
    pub delivery: Option<DeliveryId>,
    /// The correlation id of that delivery.
    pub correlation: Option<String>,
    /// The items' own numbers.
    pub numbers: Option<Vec<i64>>,
    /// Only numbers greater than this.
    pub after: i64,
    /// Only numbers up to this.
    pub through: Option<i64>,
    /// What became of it; without it, any.
    pub status: Option<Status>,
}

/// The condition of a [`Filter`]; its parameters are the first thirteen.
///
/// A page begins behind the last number of the page before, along the primary key; the other conditions are looked at row by row. That
/// is enough for a table that people work off.
macro_rules! matches {
    () => {
        "quarantine_id > $1 AND ($13::bigint IS NULL OR quarantine_id <= $13) AND ($2::text IS NULL OR tenant = $2) AND ($3::text IS NULL OR subscription = $3) \
         AND ($4::text IS NULL OR stage = $4) AND ($5::text IS NULL OR field = $5) \
         AND ($6::text IS NULL OR strpos(reason, $6) > 0) AND ($7::timestamptz IS NULL OR received_at >= $7) \
         AND ($8::timestamptz IS NULL OR received_at < $8) AND ($9::uuid IS NULL OR delivery_id = $9) \
         AND ($10::text IS NULL OR correlation = $10) AND ($11::bigint[] IS NULL OR quarantine_id = ANY ($11)) \
         AND ($12::text IS NULL OR status = $12)"
    };
}
pub(super) use matches;

impl Filter {
    /// Whether it says anything about items but what became of them and where to go on.
    pub fn is_restrictive(&self) -> bool {
        let open = Self {
            after: self.after,
            through: self.through,
            status: self.status,
            ..Self::default()
        };
        *self != open
    }

    /// Runs a statement that begins with this condition's parameters.
    pub(super) async fn query(
        &self,
        conn: &impl Connection,
        sql: &Sql,
        more: Params<'_>,
    ) -> Result<Vec<Row>, StoreError> {
        let least = self.numbers.iter().flatten().min();
        // Numbers that are named need no walk from the first one on.
        let after = least.map_or(self.after, |least| self.after.max(least.saturating_sub(1)));
        let (since, until) = (self.since.map(Instant), self.until.map(Instant));
        let delivery = self.delivery.map(|delivery| delivery.0);
        let status = self.status.map(Status::as_str);
        let own: Params<'_> = &[
            &after,
            &self.tenant,
            &self.subscription,
            &self.stage,
            &self.field,
            &self.reason,
            &since,
            &until,
            &delivery,
            &self.correlation,
            &self.numbers,
            &status,
            &self.through,
        ];
        sql::query(conn, sql, &[own, more].concat()).await
    }
}
