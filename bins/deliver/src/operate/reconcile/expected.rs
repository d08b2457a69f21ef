//! What a target should have of what is stored: the same decisions as before a request, by the same code.

use crate::batch::{held, of, subject, versions};
use crate::days::Days;
use crate::facets;
use crate::targets::Target;
use schema::UtcMicros;
use store::sync::{self, ChangedDay, Differing, LastPush, MetricKey, Subject, Values};
use store::{Client, StoreError};
use target::{Adapter, Facets, Filter, Finite, Held, Item, Step};

/// Values of interactions and legs that differ and that the target wants. What its filter does not want is expected nowhere; where the
/// platform has some of it, it is to be taken back.
pub(super) async fn of_interactions(
    client: &Client,
    target: &Target,
    values: &Values<'_>,
) -> Result<Vec<Differing>, StoreError> {
    let mut found = Vec::new();
    sync::differing(client, values, |differing| found.push(differing)).await?;
    let Some(filter) = &target.filter else {
        return Ok(found);
    };
    let known = if filter.needs_facets() {
        facets::of_keys(client, found.iter().map(|one| &one.key)).await?
    } else {
        facets::FacetsOf::new()
    };
    let wanted = found.into_iter().filter_map(|differing| {
        if holds(filter, &differing, of(&known, &differing.key)) {
            return Some(differing);
        }
        let has = differing.last.is_some_and(|last| last.known);
        has.then_some(Differing {
            value: None,
            ..differing
        })
    });
    Ok(wanted.collect())
}

fn holds(filter: &Filter, differing: &Differing, facets: &Facets) -> bool {
    let key = &differing.key;
    let item = Item {
        tenant: key.tenant.as_str().into(),
        subject: subject(key, None),
        metric: key.metric_type.clone(),
        version: key.metric_version,
        revision: differing.revision,
        value: differing.value.and_then(Finite::new),
        timestamp: differing.timestamp_utc,
        agent: differing.agent_id.as_deref().map(Into::into),
        queue: differing.queue_id.as_deref().map(Into::into),
    };
    filter.holds(&item, facets)
}

/// Agents' days that differ, and how many there are in all. Of a day our log has what the platform took, rounded and in its unit; so is
/// what is stored before the two are compared.
pub(super) async fn of_days(
    client: &Client,
    target: &Target,
    days: Days<'_>,
    now: UtcMicros,
) -> Result<(u64, Vec<Differing>), StoreError> {
    let adapter = match &target.adapter {
        Adapter::ExternalMetrics(metrics) => {
            Adapter::ExternalMetrics(metrics.clone().with_stand_ins())
        }
        other => other.clone(),
    };
    let (mut count, mut differing) = (0, Vec::new());
    let tenant = target.tenant.as_str();
    days.each(client, now, async |stored| {
        count += stored.len() as u64;
        let keys: Vec<MetricKey> = stored.iter().map(|day| key(tenant, day)).collect();
        let asked: Vec<&MetricKey> = keys.iter().collect();
        let last = sync::last_pushed(client, &target.name, &asked, versions(&adapter)).await?;
        let waiting = sync::waiting_days(client, &target.name, &asked).await?;
        for (((day, key), last), queued) in stored.iter().zip(&keys).zip(last).zip(waiting) {
            let last = held(last);
            let item = item(day, key, target.filter.as_ref());
            if let Some(value) = differs(&adapter, &item, last, now) {
                differing.push(Differing {
                    key: key.clone(),
                    value,
                    revision: 0,
                    timestamp_utc: item.timestamp,
                    agent_id: Some(day.agent_id.clone()),
                    queue_id: None,
                    last: pushed(last),
                    queued,
                    given_up: None,
                });
            }
        }
        Ok(())
    })
    .await?;
    Ok((count, differing))
}

/// What the platform should have, if that is not what it has.
#[allow(clippy::option_option)] // differs, and from nothing
fn differs(adapter: &Adapter, item: &Item, last: Held, now: UtcMicros) -> Option<Option<f64>> {
    match adapter.step(item, last, now) {
        Step::Done | Step::Expired(_) => None,
        Step::Refused(_) => (last != Held::Nothing).then_some(None),
        Step::Send(encoded) => {
            let same = encoded.amount.is_some() && last == Held::Has(encoded.amount);
            (!same).then(|| encoded.amount.map(|amount| amount.value))
        }
    }
}

fn pushed(last: Held) -> Option<LastPush> {
    match last {
        Held::Nothing => None,
        Held::Has(amount) => Some(LastPush {
            known: true,
            revision: 0,
            value: amount.map(|amount| amount.value),
        }),
        Held::Unknown => Some(LastPush {
            known: false,
            revision: 0,
            value: None,
        }),
    }
}

fn key(tenant: &str, day: &ChangedDay) -> MetricKey {
    MetricKey {
        tenant: tenant.to_owned(),
        subject: Subject::AgentDay {
            agent: day.agent_id.clone(),
            day: day.day,
        },
        metric_type: day.metric_type.clone(),
        metric_version: day.metric_version,
    }
}

fn item(day: &ChangedDay, key: &MetricKey, filter: Option<&Filter>) -> Item {
    let mut item = Item {
        tenant: key.tenant.as_str().into(),
        subject: subject(key, day.figures.as_ref()),
        metric: key.metric_type.clone(),
        version: key.metric_version,
        revision: 0,
        value: day.value.and_then(Finite::new),
        timestamp: day.figures.as_ref().map_or(UtcMicros(0), |it| it.from),
        agent: None,
        queue: None,
    };
    if filter.is_some_and(|filter| !filter.holds(&item, &Facets::default())) {
        item.value = None;
    }
    item
}
