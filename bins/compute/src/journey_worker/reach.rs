//! The contacts near a stretch: as many as can matter to a change in it, in the order of their starts.
//!
//! Both ways in pages, from the stretch outwards, until a silence longer than the longest `within`. Backwards that is not enough, for one
//! that began long before may have lasted: so it goes on as far as the longest contact of this customer reaches.

use super::ask::Ask;
use super::matter::{Span, Stretch};
use super::sessions::{Sessions, end_of};
use schema::{Millis, UtcMicros};
use std::collections::BTreeSet;
use store::journeys::{self, Contact, Reach};
use store::{StoreError, Transaction};

/// Contacts in the first page: almost every customer has fewer.
const FIRST_PAGE: u32 = 32;
/// Contacts in every other page.
const PAGE: u32 = 500;
/// So many contacts of a stretch in one round; the others are marked again.
const STRETCH_MAX: usize = 2_000;
/// So many contacts are looked through for one that lasted over all of them.
const LOOK_BACK: usize = 10_000;

/// The contacts near the stretch of one ask.
#[derive(Debug)]
pub(super) struct Near<'a> {
    pub(super) tenant: &'a str,
    pub(super) customer_key: &'a str,
    pub(super) ask: Ask,
    /// What is done of the stretch in this round.
    pub(super) stretch: Stretch,
    /// What is left of it.
    pub(super) rest: Option<Stretch>,
    /// No contact seen lasted longer.
    pub(super) longest: Millis,
    /// Ascending by start, when all are there.
    pub(super) contacts: Vec<(Contact, Span)>,
    /// One of them cannot be read.
    pub(super) unreadable: bool,
    most: usize,
    way: Way,
    /// Behind whom the next page begins: start and id.
    cursor: (UtcMicros, String),
    /// How many that reach beyond the stretch, one linked to the next, have been found on this way.
    linked: usize,
    /// How many of the stretch.
    within: usize,
    /// How far what was found reaches: on the way back the earliest start, on the way forth the latest end.
    edge: UtcMicros,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Back,
    Forth,
    Done,
}

impl<'a> Near<'a> {
    /// `longest`: as the journey's row has it. `most`: how many contacts are evaluated together.
    pub(super) fn new(
        (tenant, customer_key): (&'a str, &'a str),
        ask: Ask,
        longest: Millis,
        most: usize,
    ) -> Self {
        Self {
            tenant,
            customer_key,
            stretch: ask.stretch,
            edge: ask.stretch.from,
            rest: None,
            longest,
            contacts: Vec::new(),
            unreadable: false,
            most,
            way: Way::Back,
            cursor: (ask.stretch.from, String::new()),
            linked: 0,
            within: 0,
            ask,
        }
    }

    pub(super) fn spans(&self) -> Vec<Span> {
        self.contacts.iter().map(|(_, span)| *span).collect()
    }

    fn reach(&self) -> Reach<'_> {
        Reach {
            tenant: self.tenant,
            customer_key: self.customer_key,
            at: self.cursor.0,
            interaction_id: &self.cursor.1,
        }
    }

    /// Takes a page of the way that is gone now.
    fn take(&mut self, page: Vec<(Contact, Span)>, limit: u32) {
        let last = page.len() < limit as usize;
        if let Some((contact, _)) = page.last() {
            self.cursor = (contact.started_at, contact.interaction_id.clone());
        }
        for (contact, span) in page {
            let goes_on = match self.way {
                Way::Back => self.take_earlier(contact, span),
                Way::Forth => self.take_later(contact, span),
                Way::Done => false,
            };
            if !goes_on {
                self.turn();
                return;
            }
        }
        if last {
            self.turn();
        }
    }

    fn take_earlier(&mut self, contact: Contact, span: Span) -> bool {
        let widest = self.ask.definitions.widest;
        self.note_length(span);
        if span.start.plus(self.longest).plus(widest) < self.edge {
            return false;
        }
        if span.end.plus(widest) >= self.edge {
            self.edge = span.start;
            self.linked += 1;
        }
        self.contacts.push((contact, span));
        self.linked <= self.most && self.contacts.len() < LOOK_BACK
    }

    fn take_later(&mut self, contact: Contact, span: Span) -> bool {
        if self.rest.is_none() && span.start <= self.stretch.to {
            let last = self.contacts.last().map(|(_, last)| last.start);
            if self.within >= STRETCH_MAX
                && let Some(last) = last.filter(|last| *last < span.start)
            {
                self.rest = Some(Stretch {
                    from: span.start,
                    to: self.stretch.to,
                });
                self.stretch.to = last;
            } else {
                self.within += 1;
                if span.start <= self.ask.stretch.to {
                    // What lies within a contact that changed was linked by it, or is now.
                    self.stretch.to = self.stretch.to.max(span.end);
                }
            }
        }
        if span.start > self.stretch.to {
            if span.start > self.edge.plus(self.ask.definitions.widest) || self.linked > self.most {
                return false;
            }
            self.linked += 1;
        }
        self.note_length(span);
        self.edge = self.edge.max(span.end);
        self.contacts.push((contact, span));
        true
    }

    fn note_length(&mut self, span: Span) {
        // Rounded up: a contact may have lasted a part of a millisecond more.
        let length = Millis(span.end.since(span.start).0.saturating_add(1));
        self.longest = self.longest.max(length);
    }

    /// Goes the other way, or is done.
    fn turn(&mut self) {
        self.way = match self.way {
            Way::Back => {
                self.contacts.reverse();
                self.linked = 0;
                self.cursor = (self.ask.stretch.from, String::new());
                let ends = self.contacts.iter().map(|(_, span)| span.end);
                self.edge = ends.fold(self.ask.stretch.to, UtcMicros::max);
                Way::Forth
            }
            Way::Forth | Way::Done => Way::Done,
        };
    }
}

/// Reads the contacts near all of these.
pub(super) async fn read(
    tx: &Transaction<'_>,
    near: &mut [Near<'_>],
    sessions: &mut Sessions,
) -> Result<(), StoreError> {
    let mut limit = FIRST_PAGE;
    while near.iter().any(|near| near.way != Way::Done) {
        for way in [Way::Back, Way::Forth] {
            let mut on_it: Vec<&mut Near<'_>> =
                near.iter_mut().filter(|near| near.way == way).collect();
            let reaches: Vec<Reach<'_>> = on_it.iter().map(|near| near.reach()).collect();
            let pages = if way == Way::Back {
                journeys::before(tx, &reaches, limit).await?
            } else {
                journeys::after(tx, &reaches, limit).await?
            };
            // Of one that has not ended its facts say until when it is known.
            let open: BTreeSet<(&str, &str)> = on_it
                .iter()
                .zip(&pages)
                .flat_map(|(near, page)| page.iter().map(|contact| (near.tenant, contact)))
                .filter(|(_, contact)| contact.ended_at.is_none())
                .map(|(tenant, contact)| (tenant, contact.interaction_id.as_str()))
                .collect();
            sessions.fetch(tx, open).await?;
            for (near, page) in on_it.iter_mut().zip(pages) {
                let page = near.with_spans(page, sessions);
                near.take(page, limit);
            }
        }
        limit = PAGE;
    }
    Ok(())
}

impl Near<'_> {
    fn with_spans(&mut self, page: Vec<Contact>, sessions: &Sessions) -> Vec<(Contact, Span)> {
        let mut found = Vec::with_capacity(page.len());
        for contact in page {
            let start = contact.started_at;
            let read = || sessions.get(self.tenant, &contact.interaction_id);
            let end = match contact.ended_at {
                Some(end) => end.max(start),
                None => match read().map(|read| read.session.as_ref()) {
                    Some(Some(session)) => end_of(&session.timeline(), start),
                    unknown => {
                        self.unreadable |= unknown.is_some();
                        start
                    }
                },
            };
            found.push((contact, Span { start, end }));
        }
        found
    }
}
