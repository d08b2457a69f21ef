//! A target that takes JSON over HTTP, described by templates.
//!
//! The *item* template is rendered for each item, the *batch* template once a request around them. They are [Jinja] templates in which every
//! `{{ … }}` writes JSON: texts come quoted and escaped, absent ones as `null`, so that no value can break out of its place. Names that do
//! not exist are errors. Both are tried out when they are read.
//!
//! | in an item | is |
//! | --- | --- |
//! | `key` | the same for every attempt at this value, other for every other value |
//! | `tenant`, `metric`, `version`, `revision`, `grain` | whose, which, which value, of what |
//! | `interaction`, `leg` | of interactions and legs; null of what has none |
//! | `agent`, `queue` | attributed to; null where to nobody |
//! | `value` | in the metric's unit; null where it is taken back |
//! | `at` | the instant it belongs to, RFC 3339 with milliseconds |
//! | `day`, `zone`, `from`, `to`, `points`, `numerator`, `denominator`, `scale`, `unit` | of agents' days; else null |
//!
//! In the batch: `items`, the rendered items with the separator between, and `count`.
//!
//! What an answer says of items is found by JSON pointers. Without any, a 2xx has taken all, and a refusal none.
//!
//! [Jinja]: https://docs.rs/minijinja

use crate::adapter::{Amount, Encoded, NO_PATH, Place, Sent, Step};
use crate::answer::{self, Names, Notes};
use crate::capability::{Capabilities, Kind, Method};
use crate::item::{Item, Subject};
use crate::outcome::{Answer, Fate, shorten};
use crate::path::PathTemplate;
use crate::rows::millis;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value as Template, context};
use schema::{AgentId, Grain, InteractionId, LegId, QueueId, UtcMicros};
use serde::de::IgnoredAny;
use serde_json::Value;
use std::sync::Arc;

#[cfg(test)]
mod tests;

const ITEM: &str = "item";
const BATCH: &str = "batch";
const RETRACTION: &str = "retraction";
/// What rendering one template may cost: thousands of operations, no endless loops.
const FUEL: u64 = 50_000;

/// What is configured.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Where.
    pub path: PathTemplate,
    /// How.
    pub method: Method,
    /// What the values are of that it gets.
    pub grains: Vec<Grain>,
    /// Items a request may carry.
    pub items_max: usize,
    /// Bytes a request body may have.
    pub bytes_max: usize,
    /// The type of the body.
    pub content_type: String,
    /// The template of an item.
    pub item: String,
    /// The template of a body.
    pub batch: String,
    /// What stands between two items.
    pub separator: String,
    /// The template of an item whose value is taken back, where the target can do that.
    pub retraction: Option<String>,
    /// How its answers are read.
    pub answers: Answers,
}

/// Where an answer says what became of items: JSON pointers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answers {
    /// The list of all items: what is not in it may or may not have been taken.
    pub results: Option<Pointer>,
    /// The list of those that were refused.
    pub failed: Option<Pointer>,
    /// What names an item, in an entry of a list as in the item that was sent; else `/key`.
    pub key: Option<Pointer>,
    /// Why, in an entry of a list; else the usual members are looked at.
    pub reason: Option<Pointer>,
}

/// A JSON pointer (RFC 6901).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer(String);

impl Pointer {
    /// From a text that begins with a slash, or is empty for the whole document.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let starts = text.is_empty() || text.starts_with('/');
        // A tilde is an escape: of itself or of a slash.
        let mut escapes = text.split('~').skip(1);
        let escapes = escapes.all(|after| after.starts_with(['0', '1']));
        (starts && escapes).then(|| Self(text.to_owned()))
    }

    fn of<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        value.pointer(&self.0)
    }
}

/// Templates that can be rendered.
#[derive(Debug, Clone)]
pub struct Http {
    setup: Arc<Setup>,
    templates: Arc<Environment<'static>>,
    around: usize,
}

/// What is wrong with a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the template `{template}`{}: {problem}", line.map_or_else(String::new, |line| format!(", line {line}")))]
pub struct TemplateProblem {
    /// Which: item, batch or retraction.
    pub template: &'static str,
    /// The line in it, from 1, where one is known.
    pub line: Option<usize>,
    /// What is wrong.
    pub problem: String,
}

impl Http {
    /// Compiles the templates and tries them out.
    pub fn new(setup: Setup) -> Result<Self, Vec<TemplateProblem>> {
        let mut templates = Environment::new();
        templates.set_auto_escape_callback(|_| AutoEscape::Json);
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_fuel(Some(FUEL));
        let mut problems = Vec::new();
        let texts = [
            (ITEM, Some(&setup.item)),
            (BATCH, Some(&setup.batch)),
            (RETRACTION, setup.retraction.as_ref()),
        ];
        for (name, text) in texts {
            let Some(text) = text else { continue };
            if let Err(error) = templates.add_template_owned(name, text.clone()) {
                problems.push(problem(name, &error));
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let http = Self {
            setup: Arc::new(setup),
            templates: Arc::new(templates),
            around: 0,
        };
        http.tried()
    }

    /// With what stands around items reckoned, if everything can be rendered.
    fn tried(mut self) -> Result<Self, Vec<TemplateProblem>> {
        let mut problems = Vec::new();
        let mut items = Vec::new();
        for grain in self.setup.grains.iter().copied() {
            let item = example(grain);
            match self.render(ITEM, &item) {
                Ok(json) => items.push(json),
                Err(problem) => problems.push(problem),
            }
            if self.setup.retraction.is_some() {
                let gone = Item {
                    value: None,
                    ..item
                };
                problems.extend(self.render(RETRACTION, &gone).err());
            }
        }
        match self.wrap("", 0) {
            Ok(around) => self.around = around.len(),
            Err(problem) => problems.push(problem),
        }
        if problems.is_empty() {
            let items = [items.clone(), items].concat().join(&self.setup.separator);
            let body = self.wrap(&items, 2).unwrap_or_default();
            if !body.contains(&items) {
                problems.push(TemplateProblem {
                    template: BATCH,
                    line: None,
                    problem: "it has no {{ items }} in it".to_owned(),
                });
            } else if self.setup.separator.trim() == "," {
                problems.extend(is_json(BATCH, &body).err());
            }
        }
        problems.dedup();
        if problems.is_empty() {
            Ok(self)
        } else {
            Err(problems)
        }
    }

    pub(crate) fn capabilities(&self) -> Capabilities {
        let answers = &self.setup.answers;
        Capabilities {
            items_max: self.setup.items_max,
            bytes_max: self.setup.bytes_max,
            one_subject: self.setup.path.names_a_subject(),
            per_item: answers.results.is_some() || answers.failed.is_some(),
            retracts: self.setup.retraction.is_some(),
            method: self.setup.method,
            ..Kind::Http.capabilities()
        }
    }

    /// The count may have some digits more than that of no items.
    pub(crate) const fn around(&self) -> usize {
        self.around + 8
    }

    pub(crate) fn separator(&self) -> &str {
        &self.setup.separator
    }

    pub(crate) fn content_type(&self) -> &str {
        &self.setup.content_type
    }

    pub(crate) fn body(&self, items: &str, count: usize) -> String {
        // It was rendered when it was read, and nothing that it reads decides about anything but the text.
        self.wrap(items, count).unwrap_or_default()
    }

    pub(crate) fn step(&self, item: &Item) -> Step {
        let template = match item.value {
            Some(_) => ITEM,
            None => RETRACTION,
        };
        let Some(path) = self.setup.path.of(item) else {
            return Step::Refused(NO_PATH.to_owned());
        };
        match self.render(template, item) {
            Ok(json) => Step::Send(Encoded {
                json,
                place: Place {
                    path,
                    head: String::new(),
                },
                amount: item.value.map(|value| Amount {
                    value: value.get(),
                    points: None,
                }),
            }),
            Err(problem) => Step::Refused(problem.to_string()),
        }
    }

    fn render(&self, template: &'static str, item: &Item) -> Result<String, TemplateProblem> {
        let text = self
            .templates
            .get_template(template)
            .and_then(|compiled| compiled.render(values(item)))
            .map_err(|error| problem(template, &error))?;
        let text = text.trim().to_owned();
        is_json(template, &text)?;
        Ok(text)
    }

    fn wrap(&self, items: &str, count: usize) -> Result<String, TemplateProblem> {
        let items = Template::from_safe_string(items.to_owned());
        self.templates
            .get_template(BATCH)
            .and_then(|compiled| compiled.render(context! { items, count }))
            .map_err(|error| problem(BATCH, &error))
    }

    pub(crate) fn read(&self, sent: &[Sent<'_>], answer: &Answer<'_>) -> Option<Vec<Fate>> {
        let answers = &self.setup.answers;
        let is_named = |pointer: &Option<Pointer>| {
            let list = pointer.as_ref().zip(answer.body);
            list.and_then(|(pointer, body)| pointer.of(body)?.as_array())
        };
        let (results, failed) = (is_named(&answers.results), is_named(&answers.failed));
        let default = Pointer("/key".to_owned());
        let key = answers.key.as_ref().unwrap_or(&default);
        let names = Names::new(sent.iter().map(|sent| {
            let item = serde_json::from_str(&sent.encoded.json).unwrap_or(Value::Null);
            name(key.of(&item))
        }));
        let find = |entry: &Value| names.find(&name(Some(key.of(entry)?)));
        let mut notes = Notes::new(sent.len(), &find);
        for entry in results.into_iter().flatten() {
            let fate = answer::stated(entry, Fate::Accepted);
            notes.note(entry, self.with_reason(entry, fate));
        }
        for entry in failed.into_iter().flatten() {
            let fate = answer::stated(entry, answer::refused(entry));
            notes.note(entry, self.with_reason(entry, fate));
        }
        if answer.is_success() {
            let otherwise = if answers.results.is_some() || notes.unmatched > 0 {
                answer::unmentioned()
            } else {
                Fate::Accepted
            };
            return Some(notes.finish(&otherwise));
        }
        if matches!(answer.status, 404 | 410) && self.setup.path.names_a_subject() {
            return crate::adapter::one_fate(sent, answer);
        }
        let blames = answer::may_blame(answer.status) && notes.named() > 0;
        blames.then(|| notes.finish(&answer::innocent(answer)))
    }

    /// The reason where the configuration says it is.
    fn with_reason(&self, entry: &Value, fate: Fate) -> Fate {
        let pointer = self.setup.answers.reason.as_ref();
        let reason = pointer.and_then(|pointer| pointer.of(entry)).map(|reason| {
            let text = reason.as_str().map(str::to_owned);
            shorten(&text.unwrap_or_else(|| reason.to_string()))
        });
        match (fate, reason) {
            (Fate::Rejected { .. }, Some(why)) => Fate::Rejected { why },
            (fate, _) => fate,
        }
    }
}

/// A name as it is compared: texts and numbers alike.
fn name(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

fn problem(template: &'static str, error: &minijinja::Error) -> TemplateProblem {
    let kind = error.kind().to_string();
    TemplateProblem {
        template,
        line: error.line(),
        problem: error
            .detail()
            .map_or_else(|| kind.clone(), |detail| format!("{kind}: {detail}")),
    }
}

fn is_json(template: &'static str, text: &str) -> Result<(), TemplateProblem> {
    serde_json::from_str::<IgnoredAny>(text)
        .map(drop)
        .map_err(|error| TemplateProblem {
            template,
            line: Some(error.line()),
            // The text may hold what is nobody's business; the place of the fault does.
            problem: format!("what it makes is no JSON at column {}", error.column()),
        })
}

/// What a template may use.
fn values(item: &Item) -> Template {
    let interaction = item.subject.interaction().map(InteractionId::as_str);
    let leg = item.subject.leg().map(LegId::as_str);
    let (day, figures) = match &item.subject {
        Subject::AgentDay { day, figures, .. } => (Some(day.to_string()), figures.as_ref()),
        Subject::Interaction { .. } | Subject::Leg { .. } => (None, None),
    };
    let agent = match &item.subject {
        Subject::AgentDay { agent, .. } => Some(agent),
        Subject::Interaction { .. } | Subject::Leg { .. } => item.agent.as_ref(),
    };
    context! {
        key => item.idempotency_key(),
        tenant => item.tenant.as_str(),
        metric => item.metric.as_str(),
        version => item.version.0,
        revision => item.revision,
        grain => item.subject.grain().name(),
        interaction,
        leg,
        agent => agent.map(AgentId::as_str),
        queue => item.queue.as_ref().map(QueueId::as_str),
        value => item.value.map(crate::Finite::get),
        at => millis(item.timestamp),
        day,
        zone => figures.map(|figures| figures.zone.as_str()),
        from => figures.map(|figures| millis(figures.from)),
        to => figures.map(|figures| millis(figures.to)),
        points => figures.map(|figures| figures.items),
        numerator => figures.map(|figures| figures.numerator),
        denominator => figures.map(|figures| figures.denominator),
        scale => figures.map(|figures| figures.scale),
        unit => figures.map(|figures| figures.unit.as_str()),
    }
}

/// An item to try templates out with: texts that need escaping.
fn example(grain: Grain) -> Item {
    let interaction = InteractionId::from("in\"ter\\action");
    let subject = match grain {
        Grain::Interaction => Subject::Interaction { interaction },
        Grain::Leg => Subject::Leg {
            interaction,
            leg: "leg".into(),
        },
        Grain::AgentDay => Subject::AgentDay {
            agent: "agent".into(),
            day: schema::LocalDay(19_858),
            figures: Some(crate::Figures {
                zone: "Europe/Berlin".to_owned(),
                from: UtcMicros(0),
                to: UtcMicros(1),
                items: 1,
                numerator: 1,
                denominator: 1,
                scale: 1,
                unit: "seconds".to_owned(),
            }),
        },
    };
    Item {
        tenant: "tenant".into(),
        subject,
        metric: "metric".to_owned(),
        version: schema::MetricVersion::FIRST,
        revision: 1,
        value: crate::Finite::new(1.5),
        timestamp: UtcMicros(0),
        agent: None,
        queue: None,
    }
}
