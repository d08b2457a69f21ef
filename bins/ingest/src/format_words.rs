//! A format as the subscriptions file says it.

use schema::BodyFormat;

/// `genesys-webhook`, `cxone-call-detail (America/Denver)`, `mapped (shop)`.
pub(crate) fn words(format: &BodyFormat) -> String {
    let (name, of) = match format {
        BodyFormat::GenesysWebhook => ("genesys-webhook", None),
        BodyFormat::GenesysDetails => ("genesys-details", None),
        BodyFormat::GenesysUserDetails => ("genesys-user-details", None),
        BodyFormat::GenesysSchedules => ("genesys-schedules", None),
        BodyFormat::CxoneContacts => ("cxone-contacts", None),
        BodyFormat::CxoneContactStates => ("cxone-contact-states", None),
        BodyFormat::CxoneAgentStates => ("cxone-agent-states", None),
        BodyFormat::CxoneDigital => ("cxone-digital", None),
        BodyFormat::CxoneCallDetail { zone } => ("cxone-call-detail", Some(zone)),
        BodyFormat::CxoneAgentStateLog { zone } => ("cxone-agent-state-log", Some(zone)),
        BodyFormat::Mapped { mapping } => ("mapped", Some(mapping)),
    };
    match of {
        None => name.to_owned(),
        Some(of) => format!("{name} ({of})"),
    }
}

/// The words for a format as the tables keep it; what is none of ours stays as it is.
pub(crate) fn words_of_stored(format: &str) -> String {
    serde_json::from_str(format).map_or_else(|_| format.to_owned(), |format| words(&format))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_said_as_the_file_says_it() {
        for (stored, said) in [
            ("\"genesys_webhook\"", "genesys-webhook"),
            ("{\"mapped\":{\"mapping\":\"shop\"}}", "mapped (shop)"),
            (
                "{\"cxone_call_detail\":{\"zone\":\"America/Denver\"}}",
                "cxone-call-detail (America/Denver)",
            ),
            ("events", "events"),
        ] {
            assert_eq!(words_of_stored(stored), said);
        }
    }
}
