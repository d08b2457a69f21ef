//! The texts under which Windows shows its zones to people: `(GMT-05:00) Eastern Time (US & Canada)`. Platforms and planning tools that took
//! their list of zones from it keep the text and not the name.
//!
//! The offset in front is that of winter and of the release that showed it, so it says nothing; the text behind it names the zone. It differs
//! between releases ("Helsinki, Kiev, Riga" has since been "Kyiv"), so the texts of several are here. What is not here is unknown and
//! gets flagged: a guess by the offset would be an hour wrong for half a year.

/// Each text, without the offset, with the Windows name that it shows.
pub(crate) const LABELS: &[(&str, &str)] = &[
    ("Abu Dhabi, Muscat", "Arabian Standard Time"),
    ("Adelaide", "Cen. Australia Standard Time"),
    ("Alaska", "Alaskan Standard Time"),
    ("Aleutian Islands", "Aleutian Standard Time"),
    ("Almaty, Novosibirsk", "N. Central Asia Standard Time"),
    ("Amman", "Jordan Standard Time"),
    (
        "Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna",
        "W. Europe Standard Time",
    ),
    ("Araguaina", "Tocantins Standard Time"),
    ("Arizona", "US Mountain Standard Time"),
    ("Ashgabat, Tashkent", "West Asia Standard Time"),
    ("Astana", "Central Asia Standard Time"),
    ("Astana, Dhaka", "Central Asia Standard Time"),
    ("Astrakhan, Ulyanovsk", "Astrakhan Standard Time"),
    ("Asuncion", "Paraguay Standard Time"),
    ("Athens, Bucharest", "GTB Standard Time"),
    ("Athens, Bucharest, Istanbul", "GTB Standard Time"),
    ("Atlantic Time (Canada)", "Atlantic Standard Time"),
    ("Auckland, Wellington", "New Zealand Standard Time"),
    ("Azores", "Azores Standard Time"),
    ("Baghdad", "Arabic Standard Time"),
    ("Baja California", "Pacific Standard Time (Mexico)"),
    ("Baku", "Azerbaijan Standard Time"),
    ("Bangkok, Hanoi, Jakarta", "SE Asia Standard Time"),
    ("Barnaul, Gorno-Altaysk", "Altai Standard Time"),
    (
        "Beijing, Chongqing, Hong Kong, Urumqi",
        "China Standard Time",
    ),
    ("Beirut", "Middle East Standard Time"),
    (
        "Belgrade, Bratislava, Budapest, Ljubljana, Prague",
        "Central Europe Standard Time",
    ),
    ("Bogota, Lima, Quito", "SA Pacific Standard Time"),
    (
        "Bogota, Lima, Quito, Rio Branco",
        "SA Pacific Standard Time",
    ),
    ("Bougainville Island", "Bougainville Standard Time"),
    ("Brasilia", "E. South America Standard Time"),
    ("Brisbane", "E. Australia Standard Time"),
    (
        "Brussels, Copenhagen, Madrid, Paris",
        "Romance Standard Time",
    ),
    ("Buenos Aires", "Argentina Standard Time"),
    ("Cabo Verde Is.", "Cape Verde Standard Time"),
    ("Cairo", "Egypt Standard Time"),
    ("Canberra, Melbourne, Sydney", "AUS Eastern Standard Time"),
    ("Cape Verde Is.", "Cape Verde Standard Time"),
    ("Caracas", "Venezuela Standard Time"),
    ("Casablanca", "Morocco Standard Time"),
    ("Cayenne, Fortaleza", "SA Eastern Standard Time"),
    ("Central America", "Central America Standard Time"),
    ("Central Time (US & Canada)", "Central Standard Time"),
    ("Chatham Islands", "Chatham Islands Standard Time"),
    ("Chennai, Kolkata, Mumbai, New Delhi", "India Standard Time"),
    ("Chetumal", "Eastern Standard Time (Mexico)"),
    (
        "Chihuahua, La Paz, Mazatlan",
        "Mountain Standard Time (Mexico)",
    ),
    ("Chisinau", "E. Europe Standard Time"),
    ("Chita", "Transbaikal Standard Time"),
    ("Chokurdakh", "Russia Time Zone 10"),
    ("City of Buenos Aires", "Argentina Standard Time"),
    ("Coordinated Universal Time", "UTC"),
    ("Cuiaba", "Central Brazilian Standard Time"),
    ("Damascus", "Syria Standard Time"),
    ("Darwin", "AUS Central Standard Time"),
    ("Dhaka", "Bangladesh Standard Time"),
    ("Dublin, Edinburgh, Lisbon, London", "GMT Standard Time"),
    ("Easter Island", "Easter Island Standard Time"),
    ("Eastern Time (US & Canada)", "Eastern Standard Time"),
    ("Ekaterinburg", "Ekaterinburg Standard Time"),
    ("Eucla", "Aus Central W. Standard Time"),
    ("Fiji", "Fiji Standard Time"),
    ("Fiji, Kamchatka, Marshall Is.", "Fiji Standard Time"),
    ("Gaza, Hebron", "West Bank Standard Time"),
    (
        "Georgetown, La Paz, Manaus, San Juan",
        "SA Western Standard Time",
    ),
    ("Greenland", "Greenland Standard Time"),
    (
        "Greenwich Mean Time : Dublin, Edinburgh, Lisbon, London",
        "GMT Standard Time",
    ),
    (
        "Guadalajara, Mexico City, Monterrey",
        "Central Standard Time (Mexico)",
    ),
    ("Guam, Port Moresby", "West Pacific Standard Time"),
    ("Haiti", "Haiti Standard Time"),
    ("Harare, Pretoria", "South Africa Standard Time"),
    ("Havana", "Cuba Standard Time"),
    ("Hawaii", "Hawaiian Standard Time"),
    (
        "Helsinki, Kiev, Riga, Sofia, Tallinn, Vilnius",
        "FLE Standard Time",
    ),
    (
        "Helsinki, Kyiv, Riga, Sofia, Tallinn, Vilnius",
        "FLE Standard Time",
    ),
    ("Hobart", "Tasmania Standard Time"),
    ("Hovd", "W. Mongolia Standard Time"),
    ("Indiana (East)", "US Eastern Standard Time"),
    ("International Date Line West", "Dateline Standard Time"),
    ("Irkutsk", "North Asia East Standard Time"),
    ("Irkutsk, Ulaan Bataar", "North Asia East Standard Time"),
    ("Islamabad, Karachi", "Pakistan Standard Time"),
    ("Istanbul", "Turkey Standard Time"),
    ("Izhevsk, Samara", "Russia Time Zone 3"),
    ("Jerusalem", "Israel Standard Time"),
    ("Kabul", "Afghanistan Standard Time"),
    ("Kaliningrad", "Kaliningrad Standard Time"),
    ("Kathmandu", "Nepal Standard Time"),
    ("Khartoum", "Sudan Standard Time"),
    ("Kiritimati Island", "Line Islands Standard Time"),
    ("Krasnoyarsk", "North Asia Standard Time"),
    ("Kuala Lumpur, Singapore", "Singapore Standard Time"),
    ("Kuwait, Riyadh", "Arab Standard Time"),
    ("La Paz, Mazatlan", "Mountain Standard Time (Mexico)"),
    ("Lord Howe Island", "Lord Howe Standard Time"),
    ("Magadan", "Magadan Standard Time"),
    ("Marquesas Islands", "Marquesas Standard Time"),
    ("Minsk", "Belarus Standard Time"),
    ("Monrovia, Reykjavik", "Greenwich Standard Time"),
    ("Montevideo", "Montevideo Standard Time"),
    ("Moscow, St. Petersburg", "Russian Standard Time"),
    ("Moscow, St. Petersburg, Volgograd", "Russian Standard Time"),
    ("Mountain Time (US & Canada)", "Mountain Standard Time"),
    ("Nairobi", "E. Africa Standard Time"),
    ("Newfoundland", "Newfoundland Standard Time"),
    ("Norfolk Island", "Norfolk Standard Time"),
    ("Novosibirsk", "N. Central Asia Standard Time"),
    ("Nuku'alofa", "Tonga Standard Time"),
    ("Omsk", "Omsk Standard Time"),
    ("Osaka, Sapporo, Tokyo", "Tokyo Standard Time"),
    ("Pacific Time (US & Canada)", "Pacific Standard Time"),
    ("Perth", "W. Australia Standard Time"),
    ("Petropavlovsk-Kamchatsky", "Russia Time Zone 11"),
    ("Port Louis", "Mauritius Standard Time"),
    ("Punta Arenas", "Magallanes Standard Time"),
    ("Pyongyang", "North Korea Standard Time"),
    ("Qyzylorda", "Qyzylorda Standard Time"),
    ("Saint Pierre and Miquelon", "Saint Pierre Standard Time"),
    ("Sakhalin", "Sakhalin Standard Time"),
    ("Salvador", "Bahia Standard Time"),
    ("Samoa", "Samoa Standard Time"),
    ("Santiago", "Pacific SA Standard Time"),
    ("Sao Tome", "Sao Tome Standard Time"),
    (
        "Sarajevo, Skopje, Warsaw, Zagreb",
        "Central European Standard Time",
    ),
    ("Saratov", "Saratov Standard Time"),
    ("Saskatchewan", "Canada Central Standard Time"),
    ("Seoul", "Korea Standard Time"),
    (
        "Solomon Is., New Caledonia",
        "Central Pacific Standard Time",
    ),
    ("Sri Jayawardenepura", "Sri Lanka Standard Time"),
    ("Stanley", "SA Eastern Standard Time"),
    ("Taipei", "Taipei Standard Time"),
    ("Tashkent", "West Asia Standard Time"),
    ("Tbilisi", "Georgian Standard Time"),
    ("Tehran", "Iran Standard Time"),
    ("Tomsk", "Tomsk Standard Time"),
    ("Tripoli", "Libya Standard Time"),
    ("Turks and Caicos", "Turks And Caicos Standard Time"),
    ("Ulaanbaatar", "Ulaanbaatar Standard Time"),
    ("Vladivostok", "Vladivostok Standard Time"),
    ("Volgograd", "Volgograd Standard Time"),
    ("West Central Africa", "W. Central Africa Standard Time"),
    ("Windhoek", "Namibia Standard Time"),
    ("Yakutsk", "Yakutsk Standard Time"),
    ("Yangon (Rangoon)", "Myanmar Standard Time"),
    ("Yerevan", "Caucasus Standard Time"),
    ("Yukon", "Yukon Standard Time"),
];

/// The text behind an offset in brackets, `(GMT-05:00)` or `(UTC)`; `None` where there is none.
pub(crate) fn behind_offset(text: &str) -> Option<&str> {
    let (offset, label) = text.strip_prefix('(')?.split_once(')')?;
    let prefix = offset.trim_start().get(..3)?;
    let is_offset = prefix.eq_ignore_ascii_case("GMT") || prefix.eq_ignore_ascii_case("UTC");
    let label = label.trim();
    (is_offset && !label.is_empty()).then_some(label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Zone;

    #[test]
    fn every_text_leads_to_the_zone_of_its_name() {
        for (label, windows) in LABELS {
            let shown = Zone::parse(&format!("(GMT+00:00) {label}"));
            assert_eq!(shown, Zone::parse(windows), "{label}");
            assert!(shown.is_ok(), "{label}");
        }
        let mut texts: Vec<&str> = LABELS.iter().map(|(label, _)| *label).collect();
        texts.dedup();
        assert_eq!(texts.len(), LABELS.len());
    }
}
