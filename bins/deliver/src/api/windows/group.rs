//! Which groups are meant.

use super::{AGENT, DIRECTION, MEDIA, PLATFORM, QUEUE, TEAM, ZONE};
use crate::api::catalogue::Windows;
use crate::api::problem::{Kind, Problem};
use crate::api::query::Query;
use store::reading::windows::Having;
use window::{Dimension, GroupBy, GroupKey};

/// What is stated of a group.
pub(super) fn having(query: &Query) -> Having<'_> {
    Having {
        queue_id: query.text(&QUEUE),
        agent_id: query.text(&AGENT),
        team: query.text(&TEAM),
        media: query.text(&MEDIA),
        direction: query.text(&DIRECTION),
        platform: query.text(&PLATFORM),
        zone: query.text(&ZONE),
    }
}

/// The one group that is meant, where every dimension is stated: it is found along the key.
pub(super) fn one_group(by: &GroupBy, having: &Having<'_>) -> Option<GroupKey> {
    let stated = |dimension: &Dimension| match dimension {
        Dimension::Queue => having.queue_id,
        Dimension::Agent => having.agent_id,
        Dimension::Team => having.team,
        Dimension::Media => having.media,
        Dimension::Direction => having.direction,
        Dimension::Platform => having.platform,
        Dimension::Attribute(_) => None,
    };
    let values: Option<Vec<&str>> = by.dimensions().iter().map(stated).collect();
    Some(GroupKey::new(values?.into_iter().map(Some)))
}

/// What is stated of a group must be one of its dimensions, else nothing could be found.
pub(super) fn check_dimensions(by: &GroupBy, query: &Query) -> Result<(), Problem> {
    let of = [
        (QUEUE, Dimension::Queue),
        (AGENT, Dimension::Agent),
        (TEAM, Dimension::Team),
        (MEDIA, Dimension::Media),
        (DIRECTION, Dimension::Direction),
        (PLATFORM, Dimension::Platform),
    ];
    for (parameter, dimension) in of {
        let stated = query.text(&parameter);
        if stated.is_some() && !by.dimensions().contains(&dimension) {
            let allowed = format!("only where `group_by` has {}", dimension.name());
            return Err(Problem::parameter(parameter.name, stated, allowed));
        }
    }
    Ok(())
}

/// Nothing was found: does the definition keep such windows at all?
pub(super) fn exists(windows: &[Windows], group_by: &str, size: &str) -> Result<(), Problem> {
    let kept = |windows: &Windows| {
        windows.by.text() == group_by && windows.sizes.iter().any(|one| one.name() == size)
    };
    if windows.iter().any(kept) {
        return Ok(());
    }
    let those: Vec<String> = windows
        .iter()
        .map(|windows| {
            let sizes: Vec<&str> = windows.sizes.iter().map(|size| size.name()).collect();
            format!("group_by={} with size {}", windows.by, sizes.join(", "))
        })
        .collect();
    Err(Problem::new(
        Kind::NotFound,
        if those.is_empty() {
            "this KPI has no windows".to_owned()
        } else {
            format!("this KPI has no such windows; it has {}", those.join("; "))
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_one_when_every_dimension_is_stated() {
        let by = |text| GroupBy::parse(text).unwrap();
        let support = Having {
            queue_id: Some("sup\"port"),
            ..Having::default()
        };
        let key = |by: &GroupBy| one_group(by, &support).map(|key| key.text().to_owned());
        assert_eq!(key(&by("queue")), Some(r#"["sup\"port"]"#.to_owned()));
        assert_eq!(key(&by("media,queue")), None);
        assert_eq!(key(&by("")), Some("[]".to_owned()));
    }
}
