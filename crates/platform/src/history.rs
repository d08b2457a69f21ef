//! What the platforms keep of the past, call by call.
//!
//! A page is handed over as the platform sent it, for the adapters to read; here it is only looked over: how many records it has, where
//! the next page is, up to when the platform's history reaches. Nothing is repeated and nothing waited for beyond the API's patience:
//! [`HistoryError::remedy`] says what there is to do, [`HistoryError::splits`] whether a shorter stretch would help.
//!
//! Every instant that goes out carries a `Z` (pitfall 7): without one a platform reads it in the account's zone.

pub mod cxone;
pub mod error;
pub mod genesys;
pub mod heads;
mod outline;
pub mod page;
pub mod permissions;

pub use error::HistoryError;
pub use heads::{Head, heads};
pub use page::{Kind, Page};
