//! Sessions of the status page: a signed cookie, so that no replica has to remember who logged in, and no token is in a browser.
//!
//! The cookie names the token that somebody logged in with, and when the session ends. It is signed with the key of the sessions and the
//! token's digest: once a token is taken out of the file or replaced, its sessions are over.

use super::tokens::{LiveTokens, Token};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::HeaderMap;
use hyper::header::COOKIE;
use ring::hmac;
use runtime::Secret;
use schema::{Millis, UtcMicros};
use std::sync::Arc;

/// How long a session lasts: a working day, however long.
const LASTS: Millis = Millis(12 * 3_600_000);
/// More than this is no cookie of ours.
const COOKIE_BYTES_MAX: usize = 512;

/// Begins sessions and recognises them.
#[derive(Debug)]
pub struct Sessions {
    key: hmac::Key,
    behind_tls: bool,
}

impl Sessions {
    /// With this key, else one that nobody else has; `behind_tls` where browsers come by https.
    #[must_use]
    pub fn new(key: Option<&Secret>, behind_tls: bool) -> Self {
        let own: [u8; 32] = rand::random();
        let key = key.map_or(own.as_slice(), |key| key.expose().as_bytes());
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
            behind_tls,
        }
    }

    /// The `Set-Cookie` that begins a session.
    #[must_use]
    pub fn begin(&self, token: &Token, now: UtcMicros) -> String {
        let ends = now.plus(LASTS);
        let ends = token.expires.map_or(ends, |expires| expires.min(ends));
        let seconds = ends.seconds().saturating_sub(now.seconds()).max(0);
        let said = said(&token.name, ends);
        let value = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(&said),
            self.signature(&said, token)
        );
        self.cookie(&value, seconds)
    }

    /// The `Set-Cookie` that ends one.
    #[must_use]
    pub fn end(&self) -> String {
        self.cookie("", 0)
    }

    /// The token of whoever shows a session that is not over.
    #[must_use]
    pub fn find(
        &self,
        headers: &HeaderMap,
        tokens: &LiveTokens,
        now: UtcMicros,
    ) -> Option<Arc<Token>> {
        let name = self.name();
        let value = headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|line| line.split(';'))
            .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
            .filter(|value| value.len() <= COOKIE_BYTES_MAX)?;
        let (said, signature) = value.split_once('.')?;
        let said = URL_SAFE_NO_PAD.decode(said).ok()?;
        let (token, ends) = read(std::str::from_utf8(&said).ok()?)?;
        let token = tokens.get().named(token, now).ok()?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        // Compared in constant time.
        hmac::verify(&self.key, &signed(&said, &token), &signature).ok()?;
        (now < ends).then_some(token)
    }

    fn signature(&self, said: &[u8], token: &Token) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, &signed(said, token)))
    }

    /// `__Host-`: the browser itself sees to it that no other host and no plain connection has set it.
    const fn name(&self) -> &'static str {
        if self.behind_tls {
            "__Host-kpiline"
        } else {
            "kpiline"
        }
    }

    fn cookie(&self, value: &str, seconds: i64) -> String {
        let secure = if self.behind_tls { "; Secure" } else { "" };
        format!(
            "{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}",
            self.name()
        )
    }
}

/// What is signed: of fixed lengths but for its end.
fn signed(said: &[u8], token: &Token) -> Vec<u8> {
    [b"kpiline session 1".as_slice(), token.digest(), said].concat()
}

fn said(name: &str, ends: UtcMicros) -> Vec<u8> {
    format!("{name}\0{}", ends.0).into_bytes()
}

fn read(said: &str) -> Option<(&str, UtcMicros)> {
    let (name, ends) = said.split_once('\0')?;
    Some((name, UtcMicros(ends.parse().ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::tokens::parse;
    use sha2::{Digest as _, Sha256};

    fn tokens(secret: &str) -> LiveTokens {
        let digest = hex::encode(Sha256::digest(secret.as_bytes()));
        let text = format!(
            "version = 1\n[[token]]\nname = \"ann\"\nsha256 = \"{digest}\"\ntenants = [\"a\"]\nexpires = \"1970-01-03T00:00:00Z\"\n"
        );
        LiveTokens::new(parse("t", &text).unwrap())
    }

    fn headers(cookie: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let pair = cookie.split(';').next().unwrap();
        headers.insert(COOKIE, format!("other=1; {pair}").parse().unwrap());
        headers
    }

    #[test]
    fn a_session_lasts_twelve_hours_and_no_longer_than_its_token() {
        let (sessions, tokens) = (Sessions::new(None, false), tokens("x"));
        let begin = |at| {
            let token = tokens.get().named("ann", at).unwrap();
            headers(&sessions.begin(&token, at))
        };
        let hours = |hours: i64| UtcMicros(hours * 3_600_000_000);
        let morning = begin(hours(1));
        assert!(sessions.find(&morning, &tokens, hours(12)).is_some());
        assert!(sessions.find(&morning, &tokens, hours(13)).is_none());
        let last = begin(hours(47));
        assert!(sessions.find(&last, &tokens, hours(48)).is_none());
    }

    #[test]
    fn a_session_is_nothing_to_another_key_another_token_or_with_a_letter_changed() {
        let (sessions, tokens) = (Sessions::new(None, false), tokens("x"));
        let now = UtcMicros(1);
        let token = tokens.get().named("ann", now).unwrap();
        let cookie = sessions.begin(&token, now);
        assert!(sessions.find(&headers(&cookie), &tokens, now).is_some());
        assert!(
            Sessions::new(None, false)
                .find(&headers(&cookie), &tokens, now)
                .is_none()
        );
        assert!(
            sessions
                .find(&headers(&cookie), &self::tokens("y"), now)
                .is_none()
        );
        let value = cookie.split(';').next().unwrap();
        for at in "kpiline=".len()..value.len() {
            let mut bytes = value.as_bytes().to_vec();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            if bytes == value.as_bytes() {
                continue;
            }
            let changed = String::from_utf8(bytes).unwrap();
            // The last letter of an encoding may have bits that mean nothing; such a text is refused too.
            assert!(
                sessions.find(&headers(&changed), &tokens, now).is_none(),
                "{changed}"
            );
        }
    }

    #[test]
    fn a_cookie_is_out_of_reach_of_scripts_and_other_sites() {
        let secure = Sessions::new(Some(&Secret::new("0123456789abcdef")), true);
        let token = tokens("x").get().named("ann", UtcMicros(0)).unwrap();
        let cookie = secure.begin(&token, UtcMicros(0));
        for words in [
            "__Host-kpiline=",
            "; HttpOnly",
            "; SameSite=Strict",
            "; Secure",
            "; Path=/;",
        ] {
            assert!(cookie.contains(words), "{words} in {cookie}");
        }
        assert!(secure.end().contains("Max-Age=0"));
        assert!(
            !Sessions::new(None, false)
                .begin(&token, UtcMicros(0))
                .contains("Secure")
        );
    }
}
