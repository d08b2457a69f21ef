//! One step of a settling job: look whether the line has computed what it brought; then report and notify; then promote; then end.

use super::{Finishing, notice, promote, report};
use crate::outlet::{Done, Outlet};
use crate::source::Source;
use broker::Queue;
use runtime::chain;
use schema::UtcMicros;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use store::arrivals::{self, Computed, Stretch};
use store::jobs::{self, Finish, Job, Promote, Purpose};
use store::{StoreError, definitions, standing, sweep};

/// Looks become rarer, within these.
const LOOK_MIN: Duration = Duration::from_millis(500);
const LOOK_MAX: Duration = Duration::from_secs(30);
/// A refused promotion is tried again for so many times its patience at most, however the reason changes.
const TRIED_FOR: u32 = 24;
/// So often in a row looking may take too long, until the job is reported without.
const SLOW_MAX: u32 = 3;
/// Others may feed the history lane without end. When all else was computed for so many times the quiet, this job's share has passed.
const FED_BY_OTHERS: u32 = 30;

/// What is not computed yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Left {
    /// None: it takes too long to look.
    pub(super) computed: Option<Computed>,
    /// Marks about the stretch that wait.
    pub(super) marked: i64,
    /// Messages in the history lane.
    pub(super) depth: u32,
}

impl Left {
    /// Nothing was to be looked at.
    fn nothing() -> Self {
        Self {
            computed: Some(Computed::default()),
            ..Self::default()
        }
    }

    fn is_evaluated(&self) -> bool {
        self.computed
            .is_some_and(|computed| computed.missing == 0 && computed.owed == 0)
    }

    /// What moves while the line works.
    fn moves(&self) -> (i64, i64, i64) {
        let computed = self.computed.unwrap_or_default();
        (computed.missing, computed.owed, self.marked)
    }
}

/// Where a settling job stands, as its row keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stands {
    /// When the last chunk had ended.
    ended_at: UtcMicros,
    /// When something last moved.
    moved_at: UtcMicros,
    last: (i64, i64, i64),
    /// Since when everything is evaluated: marks written later are others' news.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    evaluated_at: Option<UtcMicros>,
    /// Since when nothing is left, but perhaps messages of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clear_since: Option<UtcMicros>,
    /// How often in a row looking took too long.
    #[serde(default)]
    slow: u32,
    /// The report, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    report: Option<Map<String, Value>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reported_at: Option<UtcMicros>,
    /// When what became of a promotion last changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tried_at: Option<UtcMicros>,
    /// What became of each promotion.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) promoted: BTreeMap<String, promote::Outcome>,
}

/// How long to wait where nothing tells for certain.
#[derive(Debug, Clone, Copy)]
struct Waits {
    quiet: Duration,
    patience: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Wait(Duration),
    GoOn,
}

impl Stands {
    fn of(job: &Job, now: UtcMicros) -> Self {
        let stored = job.cursor_json.as_deref();
        // A cursor of something else is from before it settled.
        stored
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or(Self {
                ended_at: now,
                moved_at: now,
                last: (-1, -1, -1),
                evaluated_at: None,
                clear_since: None,
                slow: 0,
                report: None,
                reported_at: None,
                tried_at: None,
                promoted: BTreeMap::new(),
            })
    }

    fn verdict(&mut self, left: &Left, now: UtcMicros, waits: Waits) -> Verdict {
        if left.moves() != self.last {
            self.last = left.moves();
            self.moved_at = now;
        }
        if left.is_evaluated() {
            self.evaluated_at.get_or_insert(now);
        } else {
            self.evaluated_at = None;
        }
        let since = |at: UtcMicros| super::chunk::since(at, now);
        if left.is_evaluated() && left.marked == 0 {
            let clear = since(*self.clear_since.get_or_insert(now));
            let enough = if left.depth == 0 {
                waits.quiet
            } else {
                waits.quiet * FED_BY_OTHERS
            };
            if clear >= enough {
                return Verdict::GoOn;
            }
        } else {
            self.clear_since = None;
            // Messages that wait may be others' without end: what has not moved for so long is not among them.
            if since(self.moved_at) >= waits.patience {
                return Verdict::GoOn;
            }
        }
        Verdict::Wait((since(self.ended_at) / 4).clamp(LOOK_MIN, LOOK_MAX))
    }

    pub(super) fn json(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string(self)?)
    }
}

/// Takes one step, and gives the job's lease back.
pub(super) async fn step(
    finishing: &Finishing,
    outlet: &mut Outlet,
    job: &Job,
) -> anyhow::Result<()> {
    let depth = match depth(outlet).await? {
        Done::Yes(depth) => depth,
        Done::Stopped => return Ok(()),
    };
    let now = {
        let client = finishing.store.client().await?;
        sweep::now(&client).await?
    };
    let mut stands = Stands::of(job, now);
    let Some(report) = stands.report.clone() else {
        let tenants = match &job.tenant {
            Some(tenant) => vec![tenant.clone()],
            None => arrivals::tenants(&finishing.store.client().await?).await?,
        };
        let left = match look(finishing, job, &tenants, &stands, now, depth).await {
            Ok(left) => {
                stands.slow = 0;
                left
            }
            Err(error) if error.is_slow() => {
                stands.slow += 1;
                tracing::warn!(job = %job.id, times = stands.slow, error = %chain(&error), "it takes too long to look what is computed");
                if stands.slow < SLOW_MAX {
                    return later(finishing, job, &stands, LOOK_MAX).await;
                }
                let left = Left::default();
                return told(finishing, job, &tenants, &left, stands, now).await;
            }
            Err(error) => return Err(error.into()),
        };
        let waits = Waits {
            quiet: finishing.settings.quiet,
            patience: finishing.settings.patience,
        };
        if let Verdict::Wait(pause) = stands.verdict(&left, now, waits) {
            return later(finishing, job, &stands, pause).await;
        }
        return told(finishing, job, &tenants, &left, stands, now).await;
    };
    if job.promote == Promote::Auto && is_whole(&report) {
        let before = stands.promoted.clone();
        let tried = promote::all(finishing, job, &mut stands, &report).await?;
        // Others' windows may be behind, too: while they catch up, the reason changes.
        if stands.promoted != before {
            stands.tried_at = Some(now);
        }
        let since = |at: Option<UtcMicros>| super::chunk::since(at.unwrap_or(now), now);
        let whole = since(stands.reported_at);
        let may_wait = since(stands.tried_at.or(stands.reported_at))
            < finishing.settings.promote_for
            && whole < finishing.settings.promote_for * TRIED_FOR;
        match tried {
            promote::Tried::Lost => return Ok(()),
            promote::Tried::Waits if may_wait => {
                let pause = (whole / 4).clamp(LOOK_MIN, LOOK_MAX);
                return later(finishing, job, &stands, pause).await;
            }
            promote::Tried::Waits | promote::Tried::Over => {}
        }
    }
    end(finishing, job, &stands, report).await
}

async fn depth(outlet: &mut Outlet) -> anyhow::Result<Done<u32>> {
    let mut sum = 0_u32;
    for queue in [Queue::RawHistory, Queue::EventsHistory] {
        match outlet.depth(queue).await? {
            Done::Yes(depth) => sum = sum.saturating_add(depth),
            Done::Stopped => return Ok(Done::Stopped),
        }
    }
    Ok(Done::Yes(sum))
}

async fn look(
    finishing: &Finishing,
    job: &Job,
    tenants: &[String],
    stands: &Stands,
    now: UtcMicros,
    depth: u32,
) -> Result<Left, StoreError> {
    let (Some(from), Some(to)) = (job.from, job.to) else {
        return Ok(Left {
            depth,
            ..Left::nothing()
        });
    };
    // What single look-ups brought was awaited chunk by chunk, and lies anywhere; what stays beside the line has nothing computed from it.
    let beside = Source::parse(&job.kind).is_some_and(Source::stays_beside);
    if job.purpose == Purpose::Lookup || beside {
        return Ok(Left::nothing());
    }
    let stretch = Stretch { tenants, from, to };
    let client = finishing.patient().await?;
    let computed = arrivals::computed(&client, &stretch, job.asks_for_version(), &job.kpis).await?;
    let before = stands.evaluated_at.unwrap_or(now);
    Ok(Left {
        computed: Some(computed),
        marked: arrivals::marked(&client, &stretch, before).await?,
        depth,
    })
}

async fn later(
    finishing: &Finishing,
    job: &Job,
    stands: &Stands,
    pause: Duration,
) -> anyhow::Result<()> {
    let cursor = stands.json()?;
    let client = finishing.store.client().await?;
    let ours = jobs::settle_later(&client, job.id, &finishing.owner, pause, Some(&cursor)).await?;
    if !ours {
        tracing::info!(job = %job.id, "the job was paused, cancelled or taken over while it was looked at");
    }
    Ok(())
}

/// Writes the report and the notice, together or not at all: whoever dies in between leaves neither, and nobody writes the notice twice.
async fn told(
    finishing: &Finishing,
    job: &Job,
    tenants: &[String],
    left: &Left,
    mut stands: Stands,
    now: UtcMicros,
) -> anyhow::Result<()> {
    let client = finishing.patient().await?;
    let mut report = report::report(&client, job, tenants, left, now).await?;
    let offer = promote::offer(&client, job).await?;
    report.insert("promote".to_owned(), offer);
    report.insert("gaps".to_owned(), report::gaps(job, &report).into());
    let (missing, owed, marks) = left.moves();
    if missing + owed + marks > 0 {
        tracing::warn!(job = %job.id, not_evaluated = missing, owed, marks,
                       "nothing has moved for long, the job is reported with what is not computed");
    }
    let notice = if report::is_noticed(job) {
        let all = definitions::list(&client).await?;
        Some(notice::body(
            job,
            notice::Event::of(&report),
            &report,
            &all,
            now,
        )?)
    } else {
        None
    };
    stands.report = Some(report);
    stands.reported_at = Some(now);
    let cursor = stands.json()?;
    drop(client);
    let mut client = finishing.store.client().await?;
    let tx = client.transaction().await?;
    // First the job's row: only its owner goes on.
    let ours =
        jobs::settle_later(&tx, job.id, &finishing.owner, Duration::ZERO, Some(&cursor)).await?;
    if !ours {
        return Ok(tx.rollback().await?);
    }
    if let Some(notice) = notice {
        notice::put(&tx, job, &notice).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Ends the job, with its report: as failed when chunks were given up, or when it was to close a gap and did not.
async fn end(
    finishing: &Finishing,
    job: &Job,
    stands: &Stands,
    mut report: Map<String, Value>,
) -> anyhow::Result<()> {
    if !stands.promoted.is_empty() {
        let outcomes = serde_json::to_value(&stands.promoted)?;
        let shown = json!({"mode": job.promote.as_str(), "outcomes": outcomes});
        report.insert("promote".to_owned(), shown);
    }
    let error = if failed(&report) {
        Some(error(&report))
    } else if job.purpose == Purpose::Gap && !is_whole(&report) {
        Some(format!("the gap is not closed: {}", gaps(&report)))
    } else {
        None
    };
    let state = if error.is_some() { "failed" } else { "done" };
    report.insert("state".to_owned(), state.into());
    let text = Value::Object(report.clone()).to_string();
    let finish = match &error {
        None => Finish::Done {
            report_json: Some(&text),
        },
        Some(error) => Finish::Failed { error },
    };
    let mut client = finishing.store.client().await?;
    let tx = client.transaction().await?;
    if !jobs::finish(&tx, job.id, &finishing.owner, finish).await? {
        return Ok(tx.rollback().await?);
    }
    if error.is_some() {
        standing::report(&tx, job.id, &text).await?;
    }
    tx.commit().await?;
    tracing::info!(job = %job.id, state, "the job has ended");
    Ok(())
}

/// Whether chunks were given up.
fn failed(report: &Map<String, Value>) -> bool {
    count(report, "chunks_failed") > 0
}

/// Whether nothing is known to be missing: only then a version is promoted.
fn is_whole(report: &Map<String, Value>) -> bool {
    gaps(report).is_empty()
}

fn gaps(report: &Map<String, Value>) -> String {
    let words = report.get("gaps").and_then(Value::as_array);
    let words = words.into_iter().flatten().filter_map(Value::as_str);
    words.collect::<Vec<_>>().join(", ")
}

fn count(report: &Map<String, Value>, name: &str) -> i64 {
    report.get(name).and_then(Value::as_i64).unwrap_or(0)
}

fn error(report: &Map<String, Value>) -> String {
    let first = report
        .get("failed")
        .and_then(|chunks| chunks.get(0)?.get("error")?.as_str())
        .unwrap_or("no reason was noted");
    format!(
        "{} of {} chunks were given up; the first: {first}",
        count(report, "chunks_failed"),
        count(report, "chunks")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn fresh() -> Stands {
        Stands {
            ended_at: UtcMicros(0),
            moved_at: UtcMicros(0),
            last: (-1, -1, -1),
            evaluated_at: None,
            clear_since: None,
            slow: 0,
            report: None,
            reported_at: None,
            tried_at: None,
            promoted: BTreeMap::new(),
        }
    }

    fn left(missing: i64, marked: i64, depth: u32) -> Left {
        Left {
            computed: Some(Computed {
                interactions: 100,
                missing,
                owed: 0,
            }),
            marked,
            depth,
        }
    }

    fn verdict(stands: &mut Stands, left: Left, second: i64) -> Verdict {
        let waits = Waits {
            quiet: Duration::from_secs(10),
            patience: Duration::from_secs(300),
        };
        stands.verdict(&left, UtcMicros(second * SECOND), waits)
    }

    fn waits(verdict: Verdict) -> bool {
        matches!(verdict, Verdict::Wait(_))
    }

    #[test]
    fn it_goes_on_when_nothing_has_been_left_for_a_while() {
        let mut stands = fresh();
        assert!(waits(verdict(&mut stands, left(0, 0, 3), 0)));
        assert!(waits(verdict(&mut stands, left(0, 4, 0), 5)), "marks wait");
        assert!(waits(verdict(&mut stands, left(0, 0, 0), 20)));
        assert!(waits(verdict(&mut stands, left(0, 0, 0), 29)));
        assert_eq!(verdict(&mut stands, left(0, 0, 0), 30), Verdict::GoOn);
    }

    #[test]
    fn what_moves_is_waited_for_and_what_never_comes_is_not() {
        let mut stands = fresh();
        for second in 0..20 {
            let left = left(100 - second, 0, 0);
            assert!(waits(verdict(&mut stands, left, second * 299)));
        }
        let last = 19 * 299;
        assert!(waits(verdict(&mut stands, left(81, 0, 0), last + 299)));
        assert_eq!(
            verdict(&mut stands, left(81, 0, 9), last + 300),
            Verdict::GoOn,
            "others feed the lane"
        );
    }

    #[test]
    fn a_lane_that_others_feed_is_not_waited_for_for_ever() {
        let mut stands = fresh();
        assert!(waits(verdict(&mut stands, left(0, 0, 9), 0)));
        assert!(waits(verdict(&mut stands, left(0, 0, 9), 299)));
        assert_eq!(verdict(&mut stands, left(0, 0, 9), 300), Verdict::GoOn);
    }

    #[test]
    fn where_it_stands_survives_the_process() {
        let mut stands = fresh();
        stands.report = Some(Map::from_iter([("records".to_owned(), 7.into())]));
        let text = stands.json().unwrap();
        assert_eq!(serde_json::from_str::<Stands>(&text).unwrap(), stands);
        assert!(serde_json::from_str::<Stands>("{\"after\":null}").is_err());
    }
}
