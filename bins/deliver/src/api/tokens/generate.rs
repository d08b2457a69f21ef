//! `deliver token`: makes a token, and what belongs into the tokens file.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// What a token begins with, so that one that was left somewhere is recognised, by people and by scanners.
const PREFIX: &str = "kpl_";

/// A new token and its digest in hexadecimal digits.
#[must_use]
pub fn token() -> (String, String) {
    let secret: [u8; 32] = rand::random();
    let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret));
    let digest = hex::encode(Sha256::digest(token.as_bytes()));
    (token, digest)
}

/// The lines for the tokens file.
#[must_use]
pub fn entry(name: &str, digest: &str, tenants: &[String]) -> String {
    let tenants: Vec<String> = tenants.iter().map(|tenant| format!("{tenant:?}")).collect();
    format!(
        "[[token]]\nname = {name:?}\nsha256 = \"{digest}\"\ntenants = [{}]\n",
        tenants.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::tokens::{Reach, parse};
    use schema::UtcMicros;

    #[test]
    fn what_it_prints_lets_the_token_in() {
        let (token, digest) = super::token();
        let tenants = ["acme".to_owned(), "a \"b\"".to_owned()];
        let text = format!("version = 1\n{}", entry("wallboard", &digest, &tenants));
        let tokens = parse("tokens.toml", &text).unwrap();
        let found = tokens.find(&token, UtcMicros(0)).unwrap();
        assert_eq!(found.name, "wallboard");
        assert_eq!(
            found.reach,
            Reach::Of(vec!["a \"b\"".to_owned(), "acme".to_owned()])
        );
        assert!(!text.contains(&token));
        assert_ne!(super::token().0, token);
    }
}
