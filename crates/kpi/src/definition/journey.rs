//! What makes contacts of one customer a journey.

use super::read::{Reader, Rules};
use crate::document::Text;
use crate::journey::{Ahead, JourneyRule};
use crate::words::WORDS;
use expression::{Expression, Type};
use schema::Millis;
use toml::de::DeTable;

const MINUTE: i64 = 60_000;
const DAY: i64 = 86_400_000;

/// The bounds of `within`: below a minute an interrupted call and its second try are told apart, beyond a year nobody waits.
const WITHIN: (Millis, Millis) = (Millis(MINUTE), Millis(366 * DAY));

/// Which contacts count, unless the definition says otherwise. What the centre began is no sign that something was not solved, and a
/// callback is the rest of the contact in which it was promised: alone it does not count, and a call or chat that one was promised in does. Of what
/// no source states the direction, the customer began it.
const REPEAT: &str = r#"(!has(interaction.direction) || interaction.direction == "inbound")
&& (!interaction.callback || (has(interaction.media) && interaction.media != "callback"))"#;

impl<'t> Reader<'t, '_> {
    /// The rule of the table `[journey]`; `ahead` is to be found out when all rules are known.
    pub(super) fn journey(
        &mut self,
        table: &DeTable<'t>,
        rules: &mut Rules,
    ) -> Option<JourneyRule> {
        let Some(value) = table.get("journey") else {
            self.document.problem(
                0,
                "`[journey]` is missing: within which time is another contact a repeat?",
            );
            return None;
        };
        let inner = self.document.table("journey", value)?;
        self.document
            .known_members("a journey", inner, &["within", "repeat"]);
        if !inner.contains_key("within") {
            self.document.problem(
                value.span().start,
                "`within` is missing: within which time is another contact a repeat, such as \"7d\"?",
            );
        }
        let within = self.length(inner, "within", WITHIN);
        let repeat = if inner.contains_key("repeat") {
            self.rule(inner, "repeat", "repeat", rules, |ty| {
                (*ty == Type::Bool).then_some(()).ok_or("a bool")
            })
        } else {
            Expression::compile(REPEAT, &self.vocabulary).ok()
        };
        let repeat = repeat?;
        let reads = repeat.reads();
        if let Some(read) = reads.iter().find(|read| read.object == WORDS.kinds.journey) {
            let text = inner.get("repeat").map_or(0..0, toml::Spanned::span);
            let message = format!(
                "`repeat` says which contacts make a journey, so it cannot read `{}`",
                read.path
            );
            self.document.problem(text.start, message);
            return None;
        }
        Some(JourneyRule {
            within: within?,
            repeat,
            ahead: Ahead::No,
        })
    }

    /// A length of time such as "7d", within bounds. Where it is left out there is none.
    pub(super) fn length(
        &mut self,
        table: &DeTable<'t>,
        member: &str,
        (least, most): (Millis, Millis),
    ) -> Option<Millis> {
        let Text { value, span } = self.document.text(member, table.get(member)?)?;
        let length = super::constants::length(&value).map(Millis);
        let length = length.filter(|length| (least..=most).contains(length));
        if length.is_none() {
            let days = |millis: Millis| match millis.0 {
                0 => "0s".to_owned(),
                millis if millis % DAY == 0 => format!("{}d", millis / DAY),
                millis => format!("{}m", millis / MINUTE),
            };
            let message = format!(
                "`{member}` must be a length of time such as \"7d\" or \"1d12h\", from {} to {}",
                days(least),
                days(most)
            );
            self.document.problem(span.start, message);
        }
        length
    }
}
