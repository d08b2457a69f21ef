//! The text that is signed: `{body}`, `{timestamp}.{body}`, `v0:{timestamp}:{body}`, `{header:webhook-id}.{timestamp}.{body}`.

use crate::auth::reason::Reason;
use hyper::HeaderMap;
use hyper::header::HeaderName;

/// The pieces of the signed text, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Timestamp,
    Body,
    Header(HeaderName),
}

/// Why a text is no template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A brace without its other.
    #[error("a brace is not closed, or not opened")]
    Brace,
    /// Something else in braces.
    #[error("`{{{0}}}` is unknown; known are {{body}}, {{timestamp}} and {{header:NAME}}")]
    Unknown(String),
    /// The body is not part of it.
    #[error("{{body}} does not occur: anybody could change the body")]
    NoBody,
}

impl Template {
    /// The body alone.
    pub fn body() -> Self {
        Self(vec![Piece::Body])
    }

    /// Reads a template.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find(['{', '}']) {
            let (literal, from) = rest.split_at(open);
            if !literal.is_empty() {
                pieces.push(Piece::Literal(literal.to_owned()));
            }
            let inner = from.strip_prefix('{').ok_or(TemplateError::Brace)?;
            let (name, after) = inner.split_once('}').ok_or(TemplateError::Brace)?;
            pieces.push(Piece::named(name)?);
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Literal(rest.to_owned()));
        }
        if !pieces.contains(&Piece::Body) {
            return Err(TemplateError::NoBody);
        }
        Ok(Self(pieces))
    }

    /// Whether the timestamp is part of what is signed.
    pub fn has_timestamp(&self) -> bool {
        self.0.contains(&Piece::Timestamp)
    }

    /// Whether the headers that are signed are there.
    pub(super) fn present(&self, headers: &HeaderMap) -> Result<(), Reason> {
        self.0.iter().try_for_each(|piece| match piece {
            Piece::Header(name) => only(headers, name).map(drop),
            Piece::Literal(_) | Piece::Timestamp | Piece::Body => Ok(()),
        })
    }

    /// Hands over the signed text, piece by piece.
    pub(super) fn write(
        &self,
        headers: &HeaderMap,
        timestamp: Option<&[u8]>,
        body: &[u8],
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), Reason> {
        for piece in &self.0 {
            take(match piece {
                Piece::Literal(text) => text.as_bytes(),
                Piece::Timestamp => timestamp.ok_or(Reason::Unsigned)?,
                Piece::Body => body,
                Piece::Header(name) => only(headers, name)?,
            });
        }
        Ok(())
    }
}

impl Piece {
    fn named(name: &str) -> Result<Self, TemplateError> {
        let unknown = || TemplateError::Unknown(name.to_owned());
        match name {
            "body" => Ok(Self::Body),
            "timestamp" => Ok(Self::Timestamp),
            other => {
                let header = other.strip_prefix("header:").ok_or_else(unknown)?;
                let header = HeaderName::from_bytes(header.as_bytes());
                header.map(Self::Header).map_err(|_| unknown())
            }
        }
    }
}

/// The one value of a header. Of two, nobody could say which the sender signed.
pub(super) fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<&'h [u8], Reason> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Err(Reason::Unsigned),
        (Some(value), None) => Ok(value.as_bytes().trim_ascii()),
        (Some(_), Some(_)) => Err(Reason::Forged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(template: &str) -> Result<String, Reason> {
        let mut headers = HeaderMap::new();
        headers.insert("webhook-id", "msg_1".parse().unwrap());
        headers.append("twice", "a".parse().unwrap());
        headers.append("twice", "b".parse().unwrap());
        let template = Template::parse(template).unwrap();
        let mut text = Vec::new();
        template.write(&headers, Some(b"1700000000"), b"{}", |piece| {
            text.extend_from_slice(piece);
        })?;
        template.present(&headers)?;
        Ok(String::from_utf8(text).unwrap())
    }

    #[test]
    fn a_template_is_filled_in() {
        for (template, text) in [
            ("{body}", "{}"),
            ("{timestamp}.{body}", "1700000000.{}"),
            ("v0:{timestamp}:{body}", "v0:1700000000:{}"),
            (
                "{header:Webhook-Id}.{timestamp}.{body}",
                "msg_1.1700000000.{}",
            ),
            ("{body}{body} end", "{}{} end"),
        ] {
            assert_eq!(written(template).as_deref(), Ok(text), "{template}");
        }
        assert_eq!(written("{header:absent}{body}"), Err(Reason::Unsigned));
        assert_eq!(written("{header:twice}{body}"), Err(Reason::Forged));
    }

    #[test]
    fn what_is_no_template_is_said() {
        for (text, error) in [
            ("{body", TemplateError::Brace),
            ("body}", TemplateError::Brace),
            ("{timestamp}", TemplateError::NoBody),
            ("", TemplateError::NoBody),
            ("{bdy}", TemplateError::Unknown("bdy".into())),
            ("{header:}{body}", TemplateError::Unknown("header:".into())),
        ] {
            assert_eq!(Template::parse(text), Err(error), "{text}");
        }
        let unknown = Template::parse("{bdy}").unwrap_err().to_string();
        assert!(unknown.starts_with("`{bdy}` is unknown"), "{unknown}");
    }
}
