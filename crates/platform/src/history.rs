//! What the platforms keep of the past, call by call.
//!
//! A page is handed over as the platform sent it, for the adapters to read; here it is only looked over: which records it has, where
//! the next page is, up to when the platform's history reaches. Nothing is repeated and nothing waited for beyond the API's patience:
//! [`HistoryError::remedy`] says what there is to do, [`HistoryError::splits`] whether a shorter stretch would help.
//!
//! Every instant that goes out carries a `Z` (pitfall 7): without one a platform reads it in the account's zone.

pub mod cxone;
pub mod error;
pub mod genesys;
mod outline;
pub mod page;
pub mod permissions;
mod routes;

pub use error::HistoryError;
pub use page::{Head, Kind, Page};
