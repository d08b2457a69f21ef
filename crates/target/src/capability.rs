//! The kinds of targets, and what each can do.

use schema::Grain;

/// A kind of target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The guide's custom report data of Genesys.
    GenesysCustomReport,
    /// The guide's data import of CXone.
    CxoneImport,
    /// Genesys' external metrics of employee performance.
    GenesysExternalMetrics,
    /// Genesys' custom properties of a conversation's segments.
    GenesysConversationProperties,
    /// CXone's business data of a contact.
    CxoneBusinessData,
    /// Whatever takes JSON over HTTP.
    Http,
}

/// How a request is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// POST.
    Post,
    /// PUT.
    Put,
    /// PATCH.
    Patch,
}

/// What can be read back of what was pushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReadBack {
    /// Nothing: our own log is all there is.
    Nothing,
    /// What the target makes of it, such as a day's mean in a scorecard; not the item itself.
    Derived,
    /// The item.
    Items,
}

/// How far from today a day may be that a target takes, by the clock of the day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LookBack {
    /// Days back.
    pub back: i32,
    /// Days ahead.
    pub ahead: i32,
}

/// How the target knows who asks, where the configuration does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UsualGrant {
    /// OAuth client credentials.
    ClientCredentials,
    /// An access key.
    AccessKey,
}

/// What a kind of target can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capabilities {
    /// What the values it takes are of.
    pub grains: &'static [Grain],
    /// Items a request may carry. A configured batch size can only be smaller.
    pub items_max: usize,
    /// Bytes a request body may have.
    pub bytes_max: usize,
    /// Whether a request is about one interaction or leg, which its path names; items of others need another request.
    pub one_subject: bool,
    /// Whether the answer says of each item what became of it. Else all of a request share one fate.
    pub per_item: bool,
    /// Whether what was pushed can be taken back.
    pub retracts: bool,
    /// Whether an item that is what the target has already is not sent again.
    pub compares: bool,
    /// What can be read back.
    pub reads_back: ReadBack,
    /// How old an item may be; absent: as old as it likes.
    pub look_back: Option<LookBack>,
    /// How requests are made.
    pub method: Method,
    /// The path below the base URL, where the configuration names none: a [`crate::PathTemplate`].
    pub path: &'static str,
    /// Requests a minute where the configuration states none.
    pub requests_per_minute: u32,
    /// How it knows who asks.
    pub grant: UsualGrant,
    /// Whether values wait until they have settled unless the configuration says otherwise.
    pub settled: bool,
}

/// Four fifths of what Genesys allows one client.
const GENESYS_PER_MINUTE: u32 = 240;
/// CXone publishes no number: a few a second.
const CXONE_PER_MINUTE: u32 = 120;
/// Genesys' `request.bytes.max`.
const GENESYS_BYTES: usize = 512_000;
/// CXone publishes no number: a cautious one.
const CXONE_BYTES: usize = 8_000_000;

impl Kind {
    /// Whether a KPI has one name there whatever its version: what is pushed last of any of them is what the target has.
    #[must_use]
    pub const fn takes_one_version(self) -> bool {
        matches!(
            self,
            Self::GenesysExternalMetrics
                | Self::GenesysConversationProperties
                | Self::CxoneBusinessData
        )
    }

    /// All kinds, for messages that list what is allowed.
    pub const ALL: [Self; 6] = [
        Self::GenesysCustomReport,
        Self::CxoneImport,
        Self::GenesysExternalMetrics,
        Self::GenesysConversationProperties,
        Self::CxoneBusinessData,
        Self::Http,
    ];

    /// The name used in configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::GenesysCustomReport => "genesys-custom-report",
            Self::CxoneImport => "cxone-import",
            Self::GenesysExternalMetrics => "genesys-external-metrics",
            Self::GenesysConversationProperties => "genesys-conversation-properties",
            Self::CxoneBusinessData => "cxone-business-data",
            Self::Http => "http",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// What it can do.
    #[must_use]
    pub const fn capabilities(self) -> Capabilities {
        const GUIDE: Capabilities = Capabilities {
            grains: &[Grain::Interaction, Grain::Leg],
            items_max: 100,
            bytes_max: GENESYS_BYTES,
            one_subject: false,
            per_item: true,
            retracts: false,
            compares: false,
            reads_back: ReadBack::Nothing,
            look_back: None,
            method: Method::Post,
            path: "/api/v2/analytics/datadefinitions/customreports",
            requests_per_minute: GENESYS_PER_MINUTE,
            grant: UsualGrant::ClientCredentials,
            settled: false,
        };
        match self {
            Self::GenesysCustomReport => GUIDE,
            Self::CxoneImport => Capabilities {
                items_max: 10_000,
                bytes_max: CXONE_BYTES,
                path: "/incontactapi/services/v30.0/data-import/batches",
                requests_per_minute: CXONE_PER_MINUTE,
                grant: UsualGrant::AccessKey,
                ..GUIDE
            },
            // Days 7 back to 30 ahead; a datum is overwritten by its user, metric and day, and deleted by a null.
            Self::GenesysExternalMetrics => Capabilities {
                grains: &[Grain::AgentDay],
                retracts: true,
                compares: true,
                reads_back: ReadBack::Derived,
                look_back: Some(LookBack { back: 7, ahead: 30 }),
                path: "/api/v2/employeeperformance/externalmetrics/data",
                ..GUIDE
            },
            // Shown among the segments of the conversation's details.
            Self::GenesysConversationProperties => Capabilities {
                grains: &[Grain::Leg],
                one_subject: true,
                per_item: false,
                reads_back: ReadBack::Items,
                path: "/api/v2/analytics/conversations/{interaction}/details/properties",
                settled: true,
                ..GUIDE
            },
            // Of closed contacts alone.
            Self::CxoneBusinessData => Capabilities {
                one_subject: true,
                per_item: false,
                bytes_max: CXONE_BYTES,
                method: Method::Put,
                path: "/business-data-manager/v1/business-data/contact/{contact}",
                requests_per_minute: CXONE_PER_MINUTE,
                grant: UsualGrant::AccessKey,
                settled: true,
                ..GUIDE
            },
            // What its templates say may be less.
            Self::Http => Capabilities {
                grains: &Grain::ALL,
                items_max: 10_000,
                bytes_max: CXONE_BYTES,
                retracts: true,
                path: "/",
                requests_per_minute: CXONE_PER_MINUTE,
                ..GUIDE
            },
        }
    }
}

impl Method {
    /// All of them, for messages that list what is allowed.
    pub const ALL: [Self; 3] = [Self::Post, Self::Put, Self::Patch];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
        }
    }

    /// The method of this name, in capitals.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_name() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.name()), Some(kind));
        }
        assert_eq!(Kind::parse("salesforce"), None);
        for method in Method::ALL {
            assert_eq!(Method::parse(method.name()), Some(method));
        }
    }
}
