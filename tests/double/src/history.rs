//! The past of a contact centre that never was: any number of conversations over any number of days, told as Genesys' and CXone's
//! history calls tell them, and the truth about them.
//!
//! Nothing of it is kept. A conversation is made up from the seed and its number whenever somebody asks (`plan`, when it begins;
//! `conversation`, what happened), and told in a platform's words (`record` and `write`; `contacts`, `states`, `report`).
//! `genesys` and `cxone` answer the calls, `books` remembers who called when and which pages were handed out, and says how fast
//! it could have been done.

mod agents;
pub(crate) mod call;
pub(crate) mod books;
mod contacts;
mod conversation;
pub(crate) mod cxone;
pub(crate) mod genesys;
mod ids;
pub(crate) mod jobs;
mod measure;
mod moment;
mod past;
mod plan;
mod record;
mod report;
mod states;
pub(crate) mod state;
mod truth;
mod write;

pub use books::{Account, ClientAccount, Delivered, IntervalAccount, PageCount, RouteAccount};
pub use moment::Moment;
pub use state::Change;
pub use truth::{Platform, Totals, Truth, truth};

pub(crate) use past::Past;

/// One conversation's Genesys record as it is in the end: for measuring how fast records are made, and for tests.
pub fn genesys_record(history: &crate::config::History, number: u64, revised: bool) -> String {
    let past = Past::new(history);
    let mut text = String::with_capacity(4_096);
    let view = past.finally(revised);
    past.telling(&view).write(&past.draw(number, &view), &mut text);
    text
}

/// Writes the Genesys records of these numbers one after the other into `sink`, as a page does.
pub fn genesys_records(
    history: &crate::config::History,
    numbers: std::ops::Range<u64>,
    mut sink: impl FnMut(&str),
) {
    let past = Past::new(history);
    let view = past.finally(false);
    let mut text = String::with_capacity(8_192);
    for number in numbers {
        text.clear();
        past.telling(&view).write(&past.draw(number, &view), &mut text);
        sink(&text);
    }
}
