//! Raw bytes of a stored row, opened for an operator's command.

use anyhow::bail;
use runtime::seal::{OpenError, RawPlace, SealKeys};
use schema::DeliveryId;
use store::raw::{Gone, Raw};

/// The bytes as they came; `keys` are needed where they are sealed. Bytes that are gone are an error that says why.
pub fn opened(
    raw: Raw,
    keys: Option<&SealKeys>,
    tenant: &str,
    subscription: &str,
    delivery: DeliveryId,
) -> anyhow::Result<Vec<u8>> {
    match raw {
        Raw::Plain(bytes) => Ok(bytes),
        Raw::Sealed { key, bytes } => {
            let place = RawPlace {
                tenant,
                subscription,
                delivery: delivery.0.into_bytes(),
            };
            let keys = keys.ok_or_else(|| OpenError::no_file(&key))?;
            Ok(keys.open(&key, &place, &bytes)?)
        }
        Raw::Gone(Gone::Expired) => bail!("the bytes have expired (--raw-retention)"),
        Raw::Gone(Gone::Erased) => bail!("the bytes were erased on request"),
    }
}
