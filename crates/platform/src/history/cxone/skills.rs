//! The platform's own sums per skill, to compare ours with.

use super::{Cxone, stretch};
use crate::api::Call;
use crate::history::{HistoryError, routes};
use schema::UtcMicros;
use serde::Deserialize;
use serde_json::Value;

/// What the platform counted for one skill. What it does not say, or not as a number, is `None`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SkillSummary {
    /// The skill.
    pub skill: String,
    /// `contactsOffered`.
    pub offered: Option<f64>,
    /// `contactsHandled`.
    pub handled: Option<f64>,
    /// `abandonCount`.
    pub abandoned: Option<f64>,
    /// `contactsQueued`.
    pub queued: Option<f64>,
    /// `contactsWithinSLA`.
    pub within_service_level: Option<f64>,
    /// `contactsOutOfSLA`.
    pub out_of_service_level: Option<f64>,
}

/// The rows, bare or in `skillSummaries` or `resultSet`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answered {
    Bare(Vec<Value>),
    #[serde(rename_all = "camelCase")]
    Listed {
        skill_summaries: Vec<Value>,
    },
    #[serde(rename_all = "camelCase")]
    Legacy {
        result_set: Box<Answered>,
    },
}

impl Cxone {
    /// Sums per skill over a half-open stretch of time. `GET skills/summary` [notes 2, 3]: numbers as strings in older versions.
    pub async fn skills_summary(
        &self,
        from: UtcMicros,
        to: UtcMicros,
    ) -> Result<Vec<SkillSummary>, HistoryError> {
        let path = self.path(&format!("skills/summary?{}", stretch(from, to)));
        let answer = self
            .api
            .fetch(Call::get(routes::SKILLS_SUMMARY, &path).of_history())
            .await
            .map_err(HistoryError::of_stretch)?;
        if answer.body.trim_ascii().is_empty() {
            return Ok(Vec::new());
        }
        read(&answer.body)
    }
}

fn read(body: &[u8]) -> Result<Vec<SkillSummary>, HistoryError> {
    let mut answered: Answered = serde_json::from_slice(body)
        .map_err(|problem| HistoryError::unread("the skills' sums", &problem))?;
    let rows = loop {
        match answered {
            Answered::Bare(rows)
            | Answered::Listed {
                skill_summaries: rows,
            } => break rows,
            Answered::Legacy { result_set } => answered = *result_set,
        }
    };
    Ok(rows.iter().filter_map(row).collect())
}

fn row(row: &Value) -> Option<SkillSummary> {
    let skill = match row.get("skillId")? {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let number = |name: &str| match row.get(name)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().replace(',', "").parse().ok(),
        _ => None,
    };
    Some(SkillSummary {
        skill,
        offered: number("contactsOffered"),
        handled: number("contactsHandled"),
        abandoned: number("abandonCount"),
        queued: number("contactsQueued"),
        within_service_level: number("contactsWithinSLA"),
        out_of_service_level: number("contactsOutOfSLA"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_as_text_and_as_numbers() {
        let bare =
            read(br#"[{"skillId":"1","contactsOffered":"1,049","abandonCount":""}]"#).unwrap();
        assert_eq!(bare[0].offered, Some(1049.0));
        assert_eq!(bare[0].abandoned, None);
        let listed = read(br#"{"skillSummaries":[{"skillId":2,"contactsHandled":7}]}"#).unwrap();
        assert_eq!(
            (listed[0].skill.as_str(), listed[0].handled),
            ("2", Some(7.0))
        );
        let legacy = read(br#"{"resultSet":{"skillSummaries":[]}}"#).unwrap();
        assert!(legacy.is_empty());
        assert!(read(br#"{"x":1}"#).is_err());
    }
}
