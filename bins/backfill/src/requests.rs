//! Jobs that are asked for by messages on `backfill.jobs`: by the read API, by a CronJob, by whoever can publish.
//!
//! A request is acknowledged when its job is written; asked twice under one name is one job. What cannot be granted goes to `quarantine`
//! with its reason and stands in nobody's way.

use crate::plan::Known;
use crate::platforms::Platforms;
use crate::source::Source;
use crate::start::replay;
use crate::wish::{Refused, Wish};
use crate::{definitions, view};
use broker::{Broker, BrokerConfig, Consumer, Delivery, Outgoing, Queue};
use runtime::{Backoff, chain};
use schema::backfill::JobRequest;
use schema::{DeliveryId, MessageId};
use serde_json::json;
use std::sync::Arc;
use store::jobs::Created;
use store::quarantine::{self, QuarantineRow};
use store::{Class, Client, Store, StoreError};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Requests handed out at a time. Each is a job: more wait at the broker.
const PREFETCH: u16 = 8;
/// So often in a row the same request may take the database too long to look into, until it is taken for one that always does.
const SLOW_MAX: u32 = 5;
/// What quarantined rows of this stage are in.
const FORMAT: &str = "job_request";

/// Writes the jobs that are asked for, until told to stop. A broker or a database that is away is tried again for ever.
pub async fn serve(
    store: Store,
    broker: BrokerConfig,
    platforms: Arc<Platforms>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut backoff = Backoff::for_connections();
    let mut slow = Slow::default();
    while !stop.is_cancelled() {
        let ended = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            ended = listen(&store, &broker, &platforms, (&mut backoff, &mut slow)) => ended,
        };
        if let Err(error) = ended {
            tracing::warn!(error = %chain(error.as_ref()), "requests for jobs cannot be taken, trying again");
        }
        if !backoff.pause(&stop).await {
            return Ok(());
        }
    }
    Ok(())
}

/// Takes requests until something is away. What was not acknowledged comes again.
async fn listen(
    store: &Store,
    config: &BrokerConfig,
    platforms: &Platforms,
    (backoff, slow): (&mut Backoff, &mut Slow),
) -> anyhow::Result<()> {
    let broker = Broker::connect(config).await?;
    broker.declare_some(&[Queue::BackfillJobs]).await?;
    let mut consumer = broker.consumer(&[Queue::BackfillJobs], PREFETCH).await?;
    loop {
        take(store, platforms, &mut consumer, slow).await?;
        backoff.reset();
    }
}

/// Which request was too slow, and how often in a row.
#[derive(Debug, Default)]
struct Slow(Option<(DeliveryId, u32)>);

impl Slow {
    /// Once more. `true`: too often.
    fn again(&mut self, request: DeliveryId) -> bool {
        let before = self.0.filter(|(known, _)| *known == request);
        let times = before.map_or(0, |(_, times)| times) + 1;
        self.0 = Some((request, times));
        times >= SLOW_MAX
    }
}

async fn take(
    store: &Store,
    platforms: &Platforms,
    consumer: &mut Consumer,
    slow: &mut Slow,
) -> anyhow::Result<()> {
    let delivery = consumer.next().await?;
    match granted(store, platforms, &delivery.body).await {
        Ok((request, created)) => match created {
            Created::New(job) => tracing::info!(%job, request, "a job was asked for"),
            Created::Existing(job) => {
                tracing::info!(%job, request, "a job was asked for again; there is one");
            }
        },
        Err(Failed::Away(error)) => return Err(error),
        // The database may be busy, or the request may ask for more than it ever answers in time: then others wait no longer for it.
        Err(Failed::Slow(error)) => {
            if !slow.again(id(&delivery)) {
                return Err(error.into());
            }
            let reason = format!("it takes too long, again and again: {}", chain(&error));
            tracing::warn!(reason, "a request for a job goes to quarantine");
            put_away(store, &delivery, &reason).await?;
        }
        Err(Failed::Refused(reason)) => {
            tracing::warn!(reason, "a request for a job goes to quarantine");
            put_away(store, &delivery, &reason).await?;
        }
    }
    consumer.ack_through(delivery.tag).await?;
    Ok(())
}

enum Failed {
    /// Time may heal it.
    Away(anyhow::Error),
    /// A statement took longer than it may.
    Slow(StoreError),
    /// Asked again it would be the same.
    Refused(String),
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        match error.class() {
            _ if error.is_slow() => Self::Slow(error),
            // What the request itself says cannot be stored. Anything else lies with the database or with this process: a busy pool, a
            // migration that is under way, a missing grant.
            Class::Rejected => Self::Refused(chain(&error)),
            Class::Transient | Class::Saturated | Class::Fatal => Self::Away(error.into()),
        }
    }
}

impl From<Refused> for Failed {
    fn from(refused: Refused) -> Self {
        Self::Refused(chain(&refused))
    }
}

async fn granted(
    store: &Store,
    platforms: &Platforms,
    body: &[u8],
) -> Result<(String, Created), Failed> {
    let request = JobRequest::decode(body).map_err(|error| Failed::Refused(chain(&error)))?;
    let name = request.request_id.clone();
    let wish = Wish::of(request)?;
    let client = store.client().await?;
    definitions::of_kpis(&client, wish.version, &wish.kpis)
        .await?
        .map_err(Failed::Refused)?;
    let now = view::now();
    let planned = if wish.source == Source::Replay {
        replay::uncut(&wish)?
    } else {
        // No platform is asked: whoever fetches a chunk finds out what there is.
        let known = Known {
            now,
            available_to: None,
        };
        wish.planned(wish.platform(platforms)?, &known)?
    };
    Ok((name, wish.create(&client, &planned, now).await?))
}

/// The broker repeats the id, so a second attempt at a message is known for one.
fn id(delivery: &Delivery) -> DeliveryId {
    let of_body = || Uuid::new_v5(&Uuid::NAMESPACE_OID, &delivery.body);
    DeliveryId(delivery.message_id.unwrap_or_else(of_body))
}

async fn put_away(store: &Store, delivery: &Delivery, reason: &str) -> anyhow::Result<()> {
    let row = QuarantineRow {
        tenant: "",
        subscription: "",
        delivery_id: id(delivery),
        item_index: 0,
        stage: "backfill",
        format: FORMAT,
        reason,
        field: None,
        value: None,
        expected: None,
        raw: &delivery.body,
        // Ids of interactions at most.
        raw_key: None,
        received_at: view::now(),
        correlation: delivery.correlation.as_deref().unwrap_or_default(),
        job: None,
    };
    let mut client: Client = store.client().await?;
    let transaction = client.transaction().await?;
    quarantine::insert(&transaction, std::slice::from_ref(&row)).await?;
    transaction.commit().await?;
    Ok(())
}

/// `backfill request`: publishes a request and waits for the broker's confirm.
pub(crate) async fn publish(config: &crate::config::RequestConfig) -> anyhow::Result<()> {
    let id = MessageId::generate();
    let request = config.wish.clone().request(id.to_string());
    let broker = Broker::connect(&config.broker).await?;
    broker.declare_some(&[Queue::BackfillJobs]).await?;
    let publisher = broker.publisher().await?;
    let message = Outgoing {
        queue: Queue::BackfillJobs,
        body: request.encode()?,
        message_id: id.0,
        correlation: request.request_id.clone(),
    };
    publisher.publish(message).await?;
    broker.close().await?;
    let shown = json!({"request_id": request.request_id, "queue": Queue::BackfillJobs.suffix()});
    match config.output {
        crate::config::Output::Json => println!("{shown}"),
        crate::config::Output::Text => println!(
            "request {} is in {}; a worker makes it a job",
            request.request_id,
            Queue::BackfillJobs
        ),
    }
    Ok(())
}
