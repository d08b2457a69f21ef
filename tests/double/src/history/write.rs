//! Writes Genesys records as JSON, by hand: half a million of them are asked for in one go.

use super::conversation::Conversation;
use super::ids::{Ids, Of};
use super::moment::{Moment, digits, whole};
use super::record::{Flow, Metric, Participant, Segment, Session, participants};

/// How records are told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Telling {
    pub(crate) ids: Ids,
    /// What came later is not known yet.
    pub(crate) as_of: i64,
    /// With participants' attributes, as jobs do.
    pub(crate) attributes: bool,
}

/// One record, in the middle of being written.
struct Writer<'a> {
    to: &'a mut String,
    telling: Telling,
    number: u64,
    /// Full seconds have no fraction.
    trims: bool,
}

impl Telling {
    /// Appends the record of a conversation that had begun by then.
    pub(crate) fn write(self, it: &Conversation, to: &mut String) {
        let all = participants(it);
        Writer {
            to,
            telling: self,
            number: it.number,
            trims: it.number.is_multiple_of(2),
        }
        .conversation(it, &all);
    }
}

impl Writer<'_> {
    fn text(&mut self, text: &str) {
        self.to.push_str(text);
    }

    fn at(&mut self, name: &str, at: i64) {
        self.text(name);
        self.text("\"");
        Moment(at).write(self.to, self.trims);
        self.text("\"");
    }

    fn id(&mut self, name: &str, of: Of, number: u64) {
        self.text(name);
        self.text("\"");
        self.telling.ids.write(self.to, of, number);
        self.text("\"");
    }

    fn part(&mut self, name: &str, part: u64) {
        self.text(name);
        self.text("\"");
        self.telling.ids.write_part(self.to, self.number, part);
        self.text("\"");
    }

    fn number(&mut self, name: &str, number: i64) {
        self.text(name);
        whole(self.to, number);
    }

    fn list<T>(&mut self, name: &str, items: impl Iterator<Item = T>, each: fn(&mut Self, T)) {
        self.text(name);
        self.text("[");
        for (nth, item) in items.enumerate() {
            if nth > 0 {
                self.text(",");
            }
            each(self, item);
        }
        self.text("]");
    }

    const fn knows(&self, at: i64) -> bool {
        at <= self.telling.as_of
    }

    fn conversation(&mut self, it: &Conversation, all: &[Participant]) {
        self.text("{");
        if let Some(end) = it.end.filter(|end| self.knows(*end)) {
            self.at("\"conversationEnd\":", end);
            self.text(",");
        }
        self.id("\"conversationId\":", Of::Conversation, it.number);
        self.at(",\"conversationStart\":", it.start);
        self.id(",\"divisionIds\":[", Of::Division, it.number % 3);
        self.text("]");
        if it.ivr.is_some() {
            let mos = 4_200 + i64::try_from(it.number % 690).unwrap_or(0);
            self.text(",\"mediaStatsMinConversationMos\":4.");
            digits(self.to, mos - 4_000, 3);
        }
        let outbound = it.ivr.is_none() && it.waits.is_empty();
        self.text(",\"originatingDirection\":\"");
        self.text(if outbound { "outbound" } else { "inbound" });
        self.text("\"");
        let begun: Vec<&Participant> = all
            .iter()
            .filter(|it| it.sessions.iter().any(|it| self.knows(began(it))))
            .collect();
        self.list(",\"participants\":", begun.into_iter(), Self::participant);
        self.text("}");
    }

    fn participant(&mut self, it: &Participant) {
        self.text("{");
        self.part("\"participantId\":", it.part);
        if let Some(queue) = it.queue {
            self.number(",\"participantName\":\"Queue ", i64::from(queue) + 1);
            self.text("\"");
        } else if it.purpose == "customer" {
            self.text(",\"participantName\":\"A customer\"");
            self.id(",\"externalContactId\":", Of::Contact, self.number / 3);
            if self.telling.attributes {
                self.text(",\"attributes\":{\"language\":\"en-us\",\"reason\":\"");
                self.text(["billing", "order", "repair", "other"][usize::try_from(self.number % 4).unwrap_or(0)]);
                self.text("\"}");
            }
        }
        self.text(",\"purpose\":\"");
        self.text(it.purpose);
        self.text("\"");
        if let Some(user) = it.user {
            self.id(",\"userId\":", Of::Agent, u64::from(user));
        }
        let begun: Vec<&Session> = it
            .sessions
            .iter()
            .filter(|it| self.knows(began(it)))
            .collect();
        self.list(",\"sessions\":", begun.into_iter(), Self::session);
        self.text("}");
    }

    fn session(&mut self, it: &Session) {
        let voice = it.media == "voice";
        self.text("{");
        if it.wrap_skipped {
            self.text("\"acwSkipped\":true,");
        }
        if voice {
            self.number("\"ani\":\"tel:+1555", 1_000_000 + i64::try_from(self.number / 3 % 9_000_000).unwrap_or(0));
            self.text("\",\"dnis\":\"tel:+15550100002\",\"sessionDnis\":\"tel:+15550100002\",\"provider\":\"Edge\",\"protocolCallId\":\"call-");
            self.number("", i64::try_from(self.number * 100 + it.part).unwrap_or(0));
            self.text("@192.0.2.10\"");
        } else if it.media == "chat" {
            self.text("\"provider\":\"PureCloud Chat\",\"remoteNameDisplayable\":\"A customer\"");
        } else {
            self.text("\"provider\":\"PureCloud Callback\",\"callbackNumbers\":[\"+15550100004\"],\"timeoutSeconds\":0");
        }
        self.text(",\"direction\":\"");
        self.text(it.direction);
        self.text("\",\"mediaType\":\"");
        self.text(it.media);
        self.text("\"");
        if let Some(peer) = it.peer {
            self.part(",\"peerId\":", peer);
        }
        self.part(",\"sessionId\":", it.part);
        if let Some(flow) = it.flow {
            self.flow(flow);
        }
        if it.segments.iter().any(|segment| segment.queue.is_some()) {
            self.text(",\"requestedRoutings\":[\"Standard\"],\"usedRouting\":\"Standard\"");
        }
        let known: Vec<&Metric> = it.metrics.iter().filter(|it| self.knows(it.at)).collect();
        self.list(",\"metrics\":", known.into_iter(), Self::metric);
        let begun: Vec<&Segment> = it.segments.iter().filter(|it| self.knows(it.from)).collect();
        self.list(",\"segments\":", begun.into_iter(), Self::segment);
        self.text("}");
    }

    fn flow(&mut self, flow: Flow) {
        self.id(",\"flow\":{\"flowId\":", Of::Flow, 1);
        self.text(",\"flowName\":\"Flow 1\",\"flowType\":\"");
        self.text(flow.kind);
        self.text("\",\"flowVersion\":\"3.0\",\"startingLanguage\":\"en-us\"");
        if flow.kind == "INBOUNDCALL" {
            self.text(",\"endingLanguage\":\"en-us\",\"entryReason\":\"tel:+15550100002\",\"entryType\":\"dnis\"");
            if let Some(queue) = flow.to {
                self.id(
                    ",\"exitReason\":\"TRANSFER\",\"transferType\":\"ACD\",\"transferTargetAddress\":",
                    Of::Queue,
                    u64::from(queue),
                );
                self.number(",\"transferTargetName\":\"Queue ", i64::from(queue) + 1);
                self.text("\"");
            } else {
                self.text(",\"exitReason\":\"DISCONNECT\"");
            }
        }
        self.text("}");
    }

    fn metric(&mut self, it: &Metric) {
        self.at("{\"emitDate\":", it.at);
        self.text(",\"name\":\"");
        self.text(it.name);
        self.number("\",\"value\":", it.value);
        self.text("}");
    }

    fn segment(&mut self, it: &Segment) {
        self.text("{\"conference\":false");
        if self.knows(it.until) {
            if !it.how.is_empty() {
                self.text(",\"disconnectType\":\"");
                self.text(it.how);
                self.text("\"");
            }
            match it.code {
                Some(0) => self.text(",\"wrapUpCode\":\"ININ-WRAP-UP-TIMEOUT\""),
                Some(code) => self.id(",\"wrapUpCode\":", Of::WrapUp, u64::from(code)),
                None => {}
            }
            self.at(",\"segmentEnd\":", it.until);
        }
        if let Some(queue) = it.queue {
            self.id(",\"queueId\":", Of::Queue, u64::from(queue));
        }
        self.at(",\"segmentStart\":", it.from);
        self.text(",\"segmentType\":\"");
        self.text(it.kind);
        self.text("\"}");
    }
}

fn began(it: &Session) -> i64 {
    it.segments
        .iter()
        .map(|segment| segment.from)
        .min()
        .unwrap_or(i64::MAX)
}
