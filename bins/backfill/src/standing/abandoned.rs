//! Cancelled jobs: what they began at a platform is ended there, since it counts among what may be open at a time.

use crate::ask::Asker;
use crate::finish::Finishing;
use crate::platforms::Platform;
use crate::source::Source;
use crate::sources::{Left, left_by};
use anyhow::Context as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use store::{chunks, named_leases};

/// Looked at in one round.
const AT_ONCE: u32 = 50;
/// Sources that leave something.
const SOURCES: [Source; 2] = [Source::GenesysConversations, Source::GenesysUsers];

/// Ends what is left, as long as this process leads, until it is to stop.
pub(super) async fn run(finishing: Finishing, leads: Arc<AtomicBool>) {
    loop {
        for platform in finishing.platforms.iter() {
            if !leads.load(Ordering::Relaxed) {
                break;
            }
            let outcome = tokio::select! {
                () = finishing.stop.cancelled() => return,
                outcome = all(&finishing, platform) => outcome,
            };
            super::said(&platform.name, "cancelled jobs", outcome);
        }
        if !finishing.pause(super::SELDOM).await {
            return;
        }
    }
}

/// Ends what is left at a platform. What goes wrong is tried again the next time, for a day.
async fn all(finishing: &Finishing, platform: &Platform) -> anyhow::Result<()> {
    let kinds: Vec<&str> = SOURCES
        .into_iter()
        .filter(|source| platform.has(*source))
        .map(Source::name)
        .collect();
    if kinds.is_empty() {
        return Ok(());
    }
    let found = {
        let client = finishing.store.client().await?;
        chunks::abandoned(&client, &platform.name, &kinds, AT_ONCE).await?
    };
    let mut asker = None;
    for (job, chunk) in found {
        let left = Source::parse(&job.kind)
            .and_then(|source| Some((source, left_by(source, &platform.credential, &chunk)?)));
        if let Some((source, left)) = &left {
            let asker = match &mut asker {
                Some(asker) => asker,
                none => none
                    .insert(Asker::of(platform, Some(&finishing.store), &finishing.keyring).await?),
            };
            end(finishing, asker, *source, left).await?;
            tracing::info!(job = %job.id, chunk = chunk.number, details_job = left.job, "a cancelled job's work at the platform is ended");
        }
        let client = finishing.store.client().await?;
        chunks::let_go(&client, job.id, chunk.number).await?;
    }
    Ok(())
}

async fn end(
    finishing: &Finishing,
    asker: &Asker,
    source: Source,
    left: &Left,
) -> anyhow::Result<()> {
    asker
        .cancel(source, &left.job)
        .await
        .with_context(|| format!("cancel the platform's job {}", left.job))?;
    let client = finishing.store.client().await?;
    named_leases::release(&client, &left.place, &left.holder, Duration::ZERO).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::{Trial, never_ready};
    use platform::history::HistoryError;
    use platform::history::genesys::{Genesys, Subject};
    use schema::UtcMicros;
    use store::chunks::{Filter, Hold, Progress, Why};
    use store::jobs::{self, Promote};
    use store::named_leases::Taken;

    const MINUTE: Duration = Duration::from_secs(60);

    async fn submitted(genesys: &Genesys) -> Result<String, HistoryError> {
        let (from, to) = (UtcMicros(0), UtcMicros(60_000_000));
        genesys.submit_job(Subject::Conversations, from, to).await
    }

    #[tokio::test]
    async fn what_a_cancelled_job_began_at_the_platform_is_ended_there_and_its_place_is_free() {
        let trial = Trial::new().await;
        let (double, platforms) = never_ready().await;
        let platform = platforms.get("main").unwrap();
        let finishing = trial.process(Trial::quick());
        let asker = Asker::of(platform, Some(&trial.store), &finishing.keyring);
        let asker = asker.await.unwrap();
        let Asker::Genesys(genesys) = &asker else {
            panic!("{} is Genesys", platform.name)
        };
        let id = submitted(genesys).await.unwrap();
        // As a lane leaves it that waits for the platform.
        let job = trial.job(Promote::Never).await;
        let client = trial.store.client().await.unwrap();
        let lease = chunks::lease(&client, "lane", MINUTE, &Filter::default()).await;
        let (_, chunk) = lease.unwrap().unwrap();
        let part = format!(
            r#"{{"from":{},"to":{},"how":"job"}}"#,
            chunk.from.0, chunk.to.0
        );
        let at = format!(r#"{{"submitted":{{"job":"{id}","slot":0,"since":0,"asked":0}}}}"#);
        let cursor = format!(r#"{{"pieces":[{part}],"at":{at},"failed":0,"doubts":0}}"#);
        let progress = Progress {
            cursor_json: Some(&cursor),
            ..Progress::default()
        };
        let hold = chunks::progress(&client, job, chunk.number, "lane", &progress, MINUTE).await;
        assert_eq!(hold.unwrap(), Hold::Ours);
        let kept = chunks::page(&client, job, 0, None, 1).await.unwrap();
        let source = Source::GenesysConversations;
        let left = left_by(source, &platform.credential, &kept[0]).unwrap();
        assert_eq!(left.job, id);
        let place = async |holder| {
            let taken = named_leases::take(&client, &left.place, holder, MINUTE, Duration::ZERO);
            taken.await.unwrap() == Taken::Yes
        };
        assert!(place(&left.holder).await);
        let why = Why::Waiting("platform");
        chunks::release(&client, job, chunk.number, "lane", MINUTE, why, 0)
            .await
            .unwrap();
        let ended = || {
            let calls = double.history_calls();
            let deletions = calls
                .iter()
                .filter(|call| call.route == "details-job-delete");
            deletions.count()
        };

        // It is wanted for as long as its job goes on.
        all(&finishing, platform).await.unwrap();
        assert_eq!(ended(), 0);
        let one_more = submitted(genesys).await.unwrap_err();
        assert!(
            matches!(one_more, HistoryError::TooSoon { .. }),
            "{one_more}"
        );

        assert!(jobs::cancel(&client, job).await.unwrap());
        all(&finishing, platform).await.unwrap();
        all(&finishing, platform).await.unwrap();
        assert_eq!(ended(), 1);
        assert!(place("another chunk").await);
        submitted(genesys).await.unwrap();
    }
}
