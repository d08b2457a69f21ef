//! Why a request is not believed.

use std::fmt;

/// Why a request is not believed, from nothing shown to nearly good. Of several ways of which one suffices, the last of these is
/// said; of several that are all required, the first.
///
/// What lies behind a right signature or token ([`Self::Stale`], [`Self::Expired`], [`Self::NotPermitted`]) is said only to
/// whoever has shown it: a stranger learns that he is refused, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The request carries no credentials of a kind that is asked for.
    Unsigned,
    /// A client certificate was asserted by somebody who is no trusted proxy. To the sender this is [`Self::Unsigned`].
    UntrustedPeer,
    /// There are credentials, and none is right.
    Forged,
    /// The signature is right, and its timestamp is too old, in the future or in another unit.
    Stale,
    /// The token is genuine and has expired, or is not valid yet.
    Expired,
    /// The token is genuine, and for somebody else: another issuer, audience, claim or scope.
    NotPermitted,
    /// The token names a key that is not known, and the issuer's keys cannot be had just now. No fault of the sender.
    KeysUnavailable,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::Unsigned,
        Self::UntrustedPeer,
        Self::Forged,
        Self::Stale,
        Self::Expired,
        Self::NotPermitted,
        Self::KeysUnavailable,
    ];

    /// The word for the sender.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unsigned | Self::UntrustedPeer => "unsigned",
            Self::Forged => "forged",
            Self::Stale => "stale",
            Self::Expired => "expired",
            Self::NotPermitted => "not_permitted",
            Self::KeysUnavailable => "keys_unavailable",
        }
    }

    /// The word for the operator: the metric's label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::UntrustedPeer => "untrusted_peer",
            other => other.word(),
        }
    }

    /// A sentence for whoever operates the sender.
    pub const fn detail(self) -> &'static str {
        match self {
            Self::Unsigned | Self::UntrustedPeer => {
                "the request carries no signature or credentials that this path asks for"
            }
            Self::Forged => "no signature or credentials are right",
            Self::Stale => {
                "the signed timestamp is too old, in the future, or not in the agreed unit"
            }
            Self::Expired => "the token has expired or is not valid yet",
            Self::NotPermitted => "the token is genuine, but not for this path",
            Self::KeysUnavailable => {
                "the token's key cannot be had just now; send the same delivery again"
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}
