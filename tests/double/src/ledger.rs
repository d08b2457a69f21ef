//! What the double remembers: every request, every row's value, every breach of the rules.

use crate::config::{Config, Place};
use crate::faults::Follower;
use crate::history::Account;
use crate::history::state::State;
use crate::limits::Window;
use crate::random::Random;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Which number a row is: the identity under which its last value is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Key {
    /// The organisation, where rows name one.
    pub tenant: String,
    /// The interaction; for external metrics the user's id or e-mail address.
    pub interaction: String,
    /// The metric.
    pub metric: String,
    /// Its version; 1 where rows name none.
    pub version: i64,
    /// The leg, else empty; for external metrics the day.
    pub scope: String,
}

impl Key {
    /// The key of an interaction's metric in version 1, without tenant and leg.
    pub fn of(interaction: &str, metric: &str) -> Self {
        Self {
            tenant: String::new(),
            interaction: interaction.to_owned(),
            metric: metric.to_owned(),
            version: 1,
            scope: String::new(),
        }
    }
}

/// What the platform holds under one key.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Cell {
    /// The last value stored; absent after a `null` that was allowed.
    pub value: Option<f64>,
    /// How many values it is the sum of, where the row said so.
    pub count: Option<i64>,
    /// The revision the row named last.
    pub revision: Option<i64>,
    /// How often a row of this key was stored.
    pub stored: u64,
    /// How often that was said to the client in an answer.
    pub acknowledged: u64,
    /// How often since the value last changed: 1 when the client never repeats what it knows to be there.
    pub acknowledged_since_change: u64,
}

/// One request that arrived (control requests are not remembered).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Request {
    /// When it arrived, by the clock that windows are measured with.
    #[serde(skip)]
    pub at: Instant,
    /// When it arrived, milliseconds since 1970.
    pub at_unix_ms: u64,
    /// A push, a request for a token, or one about what is set up.
    pub place: Place,
    /// The path asked for.
    pub path: String,
    /// Whose token it carried, if a good one.
    pub client: Option<String>,
    /// The `Idempotency-Key` header, if any.
    pub idempotency_key: Option<String>,
    /// Rows in the body.
    pub rows: usize,
    /// Bytes in the body.
    pub bytes: usize,
    /// Whether the rows were stored.
    pub stored: bool,
    /// The fault it met, by name; empty for none.
    pub fault: &'static str,
    /// The status it was answered with; 0 for a reset connection or a client that left.
    pub status: u16,
    /// For how long the answer told the client to stay away, milliseconds; 0 where it did not.
    pub told_ms: u64,
}

/// What a client can do wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// More rows than the API takes.
    TooManyRows,
    /// More bytes than the API takes.
    TooManyBytes,
    /// A body that is not JSON of the API's form.
    Malformed,
    /// A content type other than JSON.
    ContentType,
    /// A row without identity or value.
    MissingField,
    /// A value that is `null`.
    NullValue,
    /// A value that is no finite number.
    NonFinite,
    /// Two rows of one key in one request.
    RowTwice,
    /// An idempotency key used again for another row or value.
    IdempotencyConflict,
    /// An older revision stored over a newer one.
    StaleRevision,
    /// A request that arrived before the time a 429 had named, or any other answer to a push.
    IgnoredRetryAfter,
    /// No token, an unknown one, or one that has expired.
    Unauthorized,
    /// A path that the platform does not have.
    UnknownPath,
    /// An instant without zone, which the platform reads in the account's.
    NoZone,
    /// A job for an interval past the data's end.
    PastAvailability,
    /// Results asked for of a job that is not ready.
    JobNotReady,
    /// A data extraction beside another one, or too soon after it.
    SecondExtraction,
    /// A link used after its time.
    LinkExpired,
    /// A datum of a day that is out of the platform's reach by any clock.
    OutOfReach,
    /// A definition created under a name that there is already.
    DefinitionTwice,
}

/// One thing a client did wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// What.
    pub kind: Kind,
    /// Index of the request in [`crate::Double::requests`].
    pub request: usize,
    /// In words.
    pub detail: String,
}

/// A summary for people and scripts: the answer to `GET /control/state`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Snapshot {
    /// Tokens granted.
    pub grants: u64,
    /// Push requests by status (`reset` for none).
    pub pushes: BTreeMap<String, u64>,
    /// Rows stored, copies included.
    pub rows_stored: u64,
    /// Keys with a value.
    pub keys: usize,
    /// Sum of the values by metric, rounded to thousandths.
    pub sums: BTreeMap<String, f64>,
    /// Keys by metric.
    pub counts: BTreeMap<String, u64>,
    /// Most rows in one request.
    pub rows_max: usize,
    /// Most pushes in any window of the limit's length (of one minute where there is no limit).
    pub busiest_window: usize,
    /// Violations by kind.
    pub violations: BTreeMap<Kind, u64>,
}

/// One row of a push, understood.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) key: Key,
    pub(crate) value: Option<f64>,
    /// How many values it is the sum of.
    pub(crate) count: Option<i64>,
    /// Why the platform will not have it, whatever else happens: code and words.
    pub(crate) refusal: Option<(&'static str, &'static str)>,
    pub(crate) revision: Option<i64>,
    pub(crate) idempotency_key: Option<String>,
    /// Adds to what is there instead of replacing it (external metrics of type Cumulative).
    pub(crate) adds: bool,
    /// The row as answers repeat it: all but the value.
    pub(crate) echo: serde_json::Map<String, serde_json::Value>,
}

/// Everything behind the double's lock.
#[derive(Debug)]
pub(crate) struct Ledger {
    pub(crate) config: Config,
    pub(crate) table: BTreeMap<Key, Cell>,
    pub(crate) requests: Vec<Request>,
    pub(crate) violations: Vec<Violation>,
    pub(crate) tokens: HashMap<String, (String, Instant)>,
    pub(crate) grants: u64,
    pub(crate) windows: HashMap<String, Window>,
    pub(crate) refusals: u64,
    pub(crate) push_faults: Follower,
    pub(crate) token_faults: Follower,
    pub(crate) admin_faults: Follower,
    pub(crate) history_faults: Follower,
    /// What the platforms remember, where they do.
    pub(crate) history: Option<State>,
    /// Requests that came before the time was over that the client had been told to keep.
    pub(crate) early: u64,
    pub(crate) random: Random,
    idempotency: HashMap<String, (Key, Option<f64>)>,
}

impl Ledger {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            random: Random::new(config.seed),
            history: config.history.as_ref().map(State::new),
            history_faults: Follower::new(Place::History),
            early: 0,
            config,
            table: BTreeMap::new(),
            requests: Vec::new(),
            violations: Vec::new(),
            tokens: HashMap::new(),
            grants: 0,
            windows: HashMap::new(),
            refusals: 0,
            push_faults: Follower::new(Place::Push),
            token_faults: Follower::new(Place::Token),
            admin_faults: Follower::new(Place::Admin),
            idempotency: HashMap::new(),
        }
    }

    /// Remembers a request that arrived at that instant; its index.
    pub(crate) fn open(&mut self, at: Instant, place: Place, path: &str) -> usize {
        let since_epoch = SystemTime::now()
            .checked_sub(at.elapsed())
            .and_then(|arrived| arrived.duration_since(UNIX_EPOCH).ok())
            .unwrap_or_default();
        self.requests.push(Request {
            at,
            at_unix_ms: u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX),
            place,
            path: path.to_owned(),
            client: None,
            idempotency_key: None,
            rows: 0,
            bytes: 0,
            stored: false,
            fault: "",
            status: 0,
            told_ms: 0,
        });
        self.requests.len() - 1
    }

    /// The request under way. An index from before a reset gives a blank one, whose fate nobody asks for.
    pub(crate) fn request(&mut self, index: usize) -> Option<&mut Request> {
        self.requests.get_mut(index)
    }

    pub(crate) fn violate(&mut self, kind: Kind, request: usize, detail: impl Into<String>) {
        self.violations.push(Violation {
            kind,
            request,
            detail: detail.into(),
        });
    }

    /// Remembers that the answer to a request tells its client to stay away for so long.
    pub(crate) fn tell(&mut self, index: usize, client: &str, wait: Duration) {
        let reaction = self.config.limit.unwrap_or_default().reaction_ms;
        if let Some(request) = self.requests.get_mut(index) {
            request.told_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        }
        let window = self.windows.entry(client.to_owned()).or_default();
        window.tell(Instant::now(), wait, Duration::from_millis(reaction));
    }

    /// Stores one row, said to the client or not.
    pub(crate) fn store(&mut self, request: usize, row: &Row, acknowledged: bool) {
        if row.refusal.is_some() {
            return;
        }
        if let Some(name) = &row.idempotency_key {
            let known = self
                .idempotency
                .entry(name.clone())
                .or_insert_with(|| (row.key.clone(), row.value));
            if known.0 != row.key || known.1 != row.value {
                let detail = format!("{name}: {known:?}, now {:?} {:?}", row.key, row.value);
                self.violate(Kind::IdempotencyConflict, request, detail);
            }
        }
        let cell = self.table.entry(row.key.clone()).or_default();
        let before = cell.revision;
        let value = match (row.adds, cell.value, row.value) {
            (true, Some(there), Some(more)) => Some(there + more),
            _ => row.value,
        };
        if cell.value != value || cell.stored == 0 {
            cell.acknowledged_since_change = 0;
        }
        cell.value = value;
        let added = cell.count.filter(|_| row.adds).unwrap_or(0);
        cell.count = row
            .count
            .filter(|_| value.is_some())
            .map(|count| added + count);
        cell.revision = row.revision.or(before);
        cell.stored += 1;
        cell.acknowledged += u64::from(acknowledged);
        cell.acknowledged_since_change += u64::from(acknowledged);
        if let (Some(before), Some(now)) = (before, row.revision)
            && now < before
        {
            let detail = format!("{:?}: revision {now} stored over {before}", row.key);
            self.violate(Kind::StaleRevision, request, detail);
        }
    }

    /// Says of a row stored earlier, to a client that waited, that it is stored.
    pub(crate) fn acknowledge(&mut self, row: &Row) {
        if row.refusal.is_some() {
            return;
        }
        if let Some(cell) = self.table.get_mut(&row.key) {
            cell.acknowledged += 1;
            cell.acknowledged_since_change += 1;
        }
    }

    /// Forgets what was sent; tokens stay good and the fault script starts again.
    pub(crate) fn reset(&mut self) {
        let tokens = std::mem::take(&mut self.tokens);
        *self = Self::new(self.config.clone());
        self.tokens = tokens;
    }

    /// Arrivals of pushes, ascending.
    pub(crate) fn push_arrivals(&self) -> Vec<Instant> {
        let pushes = self.requests.iter().filter(|it| it.place == Place::Push);
        let mut arrivals: Vec<Instant> = pushes.map(|request| request.at).collect();
        // They are written down in the order in which they got hold of the books.
        arrivals.sort_unstable();
        arrivals
    }

    /// The books of the history calls; `None` where there is no history.
    pub(crate) fn history_account(&self) -> Option<Account> {
        let history = self.history.as_ref()?;
        let limits = &history.past.history.route_limits;
        let clients = history.books.clients().into_iter().map(|client| {
            let arrivals: Vec<Instant> = self
                .requests
                .iter()
                .filter(|request| request.client.as_deref() == Some(client.as_str()))
                .map(|request| request.at)
                .collect();
            let limit = self.config.limit;
            history.books.account(&client, limit, limits, &arrivals)
        });
        Some(Account {
            clients: clients.collect(),
            grants: self.grants,
            unauthorized: history.books.unauthorized(),
            pages: history.books.delivered(),
            jobs: history.board.account(),
        })
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let window = self.config.limit.unwrap_or_default().window();
        let mut snapshot = Snapshot {
            grants: self.grants,
            pushes: BTreeMap::new(),
            rows_stored: self.table.values().map(|cell| cell.stored).sum(),
            keys: 0,
            sums: BTreeMap::new(),
            counts: BTreeMap::new(),
            rows_max: self.requests.iter().map(|r| r.rows).max().unwrap_or(0),
            busiest_window: crate::limits::busiest(&self.push_arrivals(), window),
            violations: BTreeMap::new(),
        };
        for request in self.requests.iter().filter(|r| r.place == Place::Push) {
            let status = match request.status {
                0 => "reset".to_owned(),
                status => status.to_string(),
            };
            *snapshot.pushes.entry(status).or_default() += 1;
        }
        for (key, value) in self
            .table
            .iter()
            .filter_map(|(key, cell)| cell.value.map(|value| (key, value)))
        {
            snapshot.keys += 1;
            *snapshot.counts.entry(key.metric.clone()).or_default() += 1;
            *snapshot.sums.entry(key.metric.clone()).or_default() += value;
        }
        for sum in snapshot.sums.values_mut() {
            *sum = (*sum * 1_000.0).round() / 1_000.0;
        }
        for violation in &self.violations {
            *snapshot.violations.entry(violation.kind).or_default() += 1;
        }
        snapshot
    }
}
