//! For whom values are added up apart.

use crate::key::GroupKey;
use compact_str::CompactString;
use std::fmt;
use std::sync::Arc;

/// One thing that groups may differ in. In the order of their names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// The agent.
    Agent,
    /// A declared attribute, by its name.
    Attribute(CompactString),
    /// Inbound, outbound and so on.
    Direction,
    /// Voice, chat and so on.
    Media,
    /// The platform of the organisation.
    Platform,
    /// The queue.
    Queue,
    /// The agent's team.
    Team,
}

const ATTRIBUTE: &str = "attribute:";

/// The text names no dimension.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown dimension {0:?}: queue, media, direction, agent, team, platform or attribute:NAME is needed"
)]
pub struct UnknownDimension(pub String);

impl Dimension {
    /// As it is written in definitions: `queue`, `attribute:brand`.
    pub fn name(&self) -> CompactString {
        let name = match self {
            Self::Agent => "agent",
            Self::Direction => "direction",
            Self::Media => "media",
            Self::Platform => "platform",
            Self::Queue => "queue",
            Self::Team => "team",
            Self::Attribute(name) => return compact_str::format_compact!("{ATTRIBUTE}{name}"),
        };
        CompactString::const_new(name)
    }

    /// The one of this name.
    pub fn parse(name: &str) -> Result<Self, UnknownDimension> {
        Ok(match name {
            "agent" => Self::Agent,
            "direction" => Self::Direction,
            "media" => Self::Media,
            "platform" => Self::Platform,
            "queue" => Self::Queue,
            "team" => Self::Team,
            _ => match name.strip_prefix(ATTRIBUTE) {
                Some(attribute) if !attribute.is_empty() => Self::Attribute(attribute.into()),
                _ => return Err(UnknownDimension(name.to_owned())),
            },
        })
    }
}

/// What groups are by: dimensions, sorted, each once. None at all is the whole organisation. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupBy(Arc<[Dimension]>);

/// What one value belongs to. A dimension that is absent is a value of its own, so that the groups add up to the total.
#[derive(Debug, Clone, Copy, Default)]
pub struct Dimensions<'a> {
    /// The queue's id.
    pub queue: Option<&'a str>,
    /// The media.
    pub media: Option<&'a str>,
    /// The direction.
    pub direction: Option<&'a str>,
    /// The agent's id.
    pub agent: Option<&'a str>,
    /// The team's id.
    pub team: Option<&'a str>,
    /// The platform's name.
    pub platform: Option<&'a str>,
    /// Names and values; of one name stated twice the first counts.
    pub attributes: &'a [(CompactString, CompactString)],
}

impl Dimensions<'_> {
    fn value(&self, dimension: &Dimension) -> Option<&str> {
        match dimension {
            Dimension::Agent => self.agent,
            Dimension::Direction => self.direction,
            Dimension::Media => self.media,
            Dimension::Platform => self.platform,
            Dimension::Queue => self.queue,
            Dimension::Team => self.team,
            Dimension::Attribute(name) => {
                let mut attributes = self.attributes.iter();
                let found = attributes.find(|(stated, _)| stated == name);
                found.map(|(_, value)| value.as_str())
            }
        }
    }
}

impl GroupBy {
    /// Sorts, and drops what is named twice.
    pub fn new(mut dimensions: Vec<Dimension>) -> Self {
        dimensions.sort_unstable();
        dimensions.dedup();
        Self(dimensions.into())
    }

    /// In the order of the values of a [`GroupKey`].
    pub fn dimensions(&self) -> &[Dimension] {
        &self.0
    }

    /// As it is stored: `""` for the organisation, `queue`, `media,queue`. Where an attribute's name has a comma, a percent sign or a
    /// control character, that is written as `%` and two hexadecimal digits.
    pub fn text(&self) -> String {
        self.to_string()
    }

    /// From [`text`](Self::text).
    pub fn parse(text: &str) -> Result<Self, UnknownDimension> {
        let names = text.split(',').filter(|_| !text.is_empty());
        let dimensions = names.map(|name| {
            let unescaped = unescape(name).ok_or_else(|| UnknownDimension(name.to_owned()))?;
            Dimension::parse(&unescaped)
        });
        Ok(Self::new(dimensions.collect::<Result<_, _>>()?))
    }

    /// The group that a value belongs to.
    pub fn key(&self, of: &Dimensions<'_>) -> GroupKey {
        let mut text = CompactString::default();
        crate::key::write(&mut text, self.values(of));
        GroupKey::of_text(text)
    }

    /// Writes [`GroupKey::text`] of that group into a buffer, after emptying it: to look one up without making it.
    pub fn key_into(&self, of: &Dimensions<'_>, buffer: &mut String) {
        buffer.clear();
        crate::key::write(buffer, self.values(of));
    }

    fn values<'a>(&'a self, of: &'a Dimensions<'_>) -> impl Iterator<Item = Option<&'a str>> {
        self.0.iter().map(|dimension| of.value(dimension))
    }
}

impl fmt::Display for GroupBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, dimension) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            for character in dimension.name().chars() {
                match character {
                    ',' | '%' | '\0'..='\x1f' | '\x7f' => {
                        write!(f, "%{:02X}", u32::from(character))?;
                    }
                    _ => write!(f, "{character}")?,
                }
            }
        }
        Ok(())
    }
}

/// `None` where a `%` is not followed by the digits of an ASCII character.
fn unescape(text: &str) -> Option<CompactString> {
    let mut parts = text.split('%');
    let mut plain = CompactString::new(parts.next()?);
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        let code = u8::from_str_radix(digits, 16).ok()?;
        plain.push(code.is_ascii().then_some(char::from(code))?);
        plain.push_str(rest);
    }
    Some(plain)
}
