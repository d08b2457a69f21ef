//! Names that mean the same zone: renamed and legacy ones lead to the name in use, so that equal zones are grouped together.
//!
//! These are all links of the zone database, except where the database itself lists the linked name as a country's zone in its
//! `zone.tab`: Europe/Amsterdam has had the clock of Europe/Brussels since 1970 and the database stores it once, but it is no
//! other name for Brussels. Such a name stays itself; a law of one of the two countries may part them with any release. Names that were
//! linked past their own country's zone lead to that: Iceland to Atlantic/Reykjavik, where the database goes on to Africa/Abidjan.
//!
//! That the list is complete and points where the database does is checked against the database (`tests/it/names.rs`).

/// Ascending by the first of each pair, which is in lower case.
const RENAMED: &[(&str, &str)] = &[
    ("africa/asmera", "Africa/Asmara"),
    ("africa/timbuktu", "Africa/Bamako"),
    (
        "america/argentina/comodrivadavia",
        "America/Argentina/Catamarca",
    ),
    ("america/atka", "America/Adak"),
    ("america/buenos_aires", "America/Argentina/Buenos_Aires"),
    ("america/catamarca", "America/Argentina/Catamarca"),
    ("america/coral_harbour", "America/Atikokan"),
    ("america/cordoba", "America/Argentina/Cordoba"),
    ("america/ensenada", "America/Tijuana"),
    ("america/fort_wayne", "America/Indiana/Indianapolis"),
    ("america/godthab", "America/Nuuk"),
    ("america/indianapolis", "America/Indiana/Indianapolis"),
    ("america/jujuy", "America/Argentina/Jujuy"),
    ("america/knox_in", "America/Indiana/Knox"),
    ("america/louisville", "America/Kentucky/Louisville"),
    ("america/mendoza", "America/Argentina/Mendoza"),
    ("america/montreal", "America/Toronto"),
    ("america/nipigon", "America/Toronto"),
    ("america/pangnirtung", "America/Iqaluit"),
    ("america/porto_acre", "America/Rio_Branco"),
    ("america/rainy_river", "America/Winnipeg"),
    ("america/rosario", "America/Argentina/Cordoba"),
    ("america/santa_isabel", "America/Tijuana"),
    ("america/shiprock", "America/Denver"),
    ("america/thunder_bay", "America/Toronto"),
    ("america/virgin", "America/St_Thomas"),
    ("america/yellowknife", "America/Edmonton"),
    ("antarctica/south_pole", "Antarctica/McMurdo"),
    ("asia/ashkhabad", "Asia/Ashgabat"),
    ("asia/calcutta", "Asia/Kolkata"),
    ("asia/choibalsan", "Asia/Ulaanbaatar"),
    ("asia/chongqing", "Asia/Shanghai"),
    ("asia/chungking", "Asia/Shanghai"),
    ("asia/dacca", "Asia/Dhaka"),
    ("asia/harbin", "Asia/Shanghai"),
    ("asia/istanbul", "Europe/Istanbul"),
    ("asia/kashgar", "Asia/Urumqi"),
    ("asia/katmandu", "Asia/Kathmandu"),
    ("asia/macao", "Asia/Macau"),
    ("asia/rangoon", "Asia/Yangon"),
    ("asia/saigon", "Asia/Ho_Chi_Minh"),
    ("asia/tel_aviv", "Asia/Jerusalem"),
    ("asia/thimbu", "Asia/Thimphu"),
    ("asia/ujung_pandang", "Asia/Makassar"),
    ("asia/ulan_bator", "Asia/Ulaanbaatar"),
    ("atlantic/faeroe", "Atlantic/Faroe"),
    ("atlantic/jan_mayen", "Arctic/Longyearbyen"),
    ("australia/act", "Australia/Sydney"),
    ("australia/canberra", "Australia/Sydney"),
    ("australia/currie", "Australia/Hobart"),
    ("australia/lhi", "Australia/Lord_Howe"),
    ("australia/north", "Australia/Darwin"),
    ("australia/nsw", "Australia/Sydney"),
    ("australia/queensland", "Australia/Brisbane"),
    ("australia/south", "Australia/Adelaide"),
    ("australia/tasmania", "Australia/Hobart"),
    ("australia/victoria", "Australia/Melbourne"),
    ("australia/west", "Australia/Perth"),
    ("australia/yancowinna", "Australia/Broken_Hill"),
    ("brazil/acre", "America/Rio_Branco"),
    ("brazil/denoronha", "America/Noronha"),
    ("brazil/east", "America/Sao_Paulo"),
    ("brazil/west", "America/Manaus"),
    ("canada/atlantic", "America/Halifax"),
    ("canada/central", "America/Winnipeg"),
    ("canada/eastern", "America/Toronto"),
    ("canada/mountain", "America/Edmonton"),
    ("canada/newfoundland", "America/St_Johns"),
    ("canada/pacific", "America/Vancouver"),
    ("canada/saskatchewan", "America/Regina"),
    ("canada/yukon", "America/Whitehorse"),
    ("cet", "Europe/Brussels"),
    ("chile/continental", "America/Santiago"),
    ("chile/easterisland", "Pacific/Easter"),
    ("cst6cdt", "America/Chicago"),
    ("cuba", "America/Havana"),
    ("eet", "Europe/Athens"),
    ("egypt", "Africa/Cairo"),
    ("eire", "Europe/Dublin"),
    ("est", "America/Panama"),
    ("est5edt", "America/New_York"),
    ("etc/gmt", "UTC"),
    ("etc/gmt+0", "UTC"),
    ("etc/gmt-0", "UTC"),
    ("etc/gmt0", "UTC"),
    ("etc/greenwich", "UTC"),
    ("etc/uct", "UTC"),
    ("etc/universal", "UTC"),
    ("etc/utc", "UTC"),
    ("etc/zulu", "UTC"),
    ("europe/belfast", "Europe/London"),
    ("europe/kiev", "Europe/Kyiv"),
    ("europe/nicosia", "Asia/Nicosia"),
    ("europe/tiraspol", "Europe/Chisinau"),
    ("europe/uzhgorod", "Europe/Kyiv"),
    ("europe/zaporozhye", "Europe/Kyiv"),
    ("gb", "Europe/London"),
    ("gb-eire", "Europe/London"),
    ("gmt", "UTC"),
    ("gmt+0", "UTC"),
    ("gmt-0", "UTC"),
    ("gmt0", "UTC"),
    ("greenwich", "UTC"),
    ("hongkong", "Asia/Hong_Kong"),
    ("hst", "Pacific/Honolulu"),
    ("iceland", "Atlantic/Reykjavik"),
    ("iran", "Asia/Tehran"),
    ("israel", "Asia/Jerusalem"),
    ("jamaica", "America/Jamaica"),
    ("japan", "Asia/Tokyo"),
    ("kwajalein", "Pacific/Kwajalein"),
    ("libya", "Africa/Tripoli"),
    ("met", "Europe/Brussels"),
    ("mexico/bajanorte", "America/Tijuana"),
    ("mexico/bajasur", "America/Mazatlan"),
    ("mexico/general", "America/Mexico_City"),
    ("mst", "America/Phoenix"),
    ("mst7mdt", "America/Denver"),
    ("navajo", "America/Denver"),
    ("nz", "Pacific/Auckland"),
    ("nz-chat", "Pacific/Chatham"),
    ("pacific/enderbury", "Pacific/Kanton"),
    ("pacific/johnston", "Pacific/Honolulu"),
    ("pacific/ponape", "Pacific/Pohnpei"),
    ("pacific/samoa", "Pacific/Pago_Pago"),
    ("pacific/truk", "Pacific/Chuuk"),
    ("pacific/yap", "Pacific/Chuuk"),
    ("poland", "Europe/Warsaw"),
    ("portugal", "Europe/Lisbon"),
    ("prc", "Asia/Shanghai"),
    ("pst8pdt", "America/Los_Angeles"),
    ("roc", "Asia/Taipei"),
    ("rok", "Asia/Seoul"),
    ("singapore", "Asia/Singapore"),
    ("turkey", "Europe/Istanbul"),
    ("uct", "UTC"),
    ("universal", "UTC"),
    ("us/alaska", "America/Anchorage"),
    ("us/aleutian", "America/Adak"),
    ("us/arizona", "America/Phoenix"),
    ("us/central", "America/Chicago"),
    ("us/east-indiana", "America/Indiana/Indianapolis"),
    ("us/eastern", "America/New_York"),
    ("us/hawaii", "Pacific/Honolulu"),
    ("us/indiana-starke", "America/Indiana/Knox"),
    ("us/michigan", "America/Detroit"),
    ("us/mountain", "America/Denver"),
    ("us/pacific", "America/Los_Angeles"),
    ("us/samoa", "Pacific/Pago_Pago"),
    ("w-su", "Europe/Moscow"),
    ("wet", "Europe/Lisbon"),
    ("zulu", "UTC"),
];

/// The name in use for a legacy one, given in lower case.
pub(crate) fn renamed(lower: &str) -> Option<&'static str> {
    RENAMED
        .binary_search_by(|(legacy, _)| (*legacy).cmp(lower))
        .ok()
        .map(|index| RENAMED[index].1)
}

#[cfg(test)]
mod tests {
    use super::RENAMED;
    use chrono::{DateTime, Offset, TimeZone};
    use chrono_tz::Tz;

    #[test]
    fn the_table_is_ascending_so_that_it_can_be_searched() {
        assert!(RENAMED.is_sorted_by(|left, right| left.0 < right.0));
    }

    #[test]
    fn a_name_in_use_is_not_itself_a_legacy_one() {
        for (legacy, current) in RENAMED {
            let again = super::renamed(&current.to_ascii_lowercase());
            assert_eq!(again, None, "{legacy} leads to {current}");
        }
    }

    /// Guards against a pair that would shift somebody's clock.
    #[test]
    fn a_legacy_name_and_the_name_in_use_have_one_wall_clock_from_1970() {
        for (legacy, current) in RENAMED {
            let zones = chrono_tz::TZ_VARIANTS;
            let legacy = zones
                .iter()
                .find(|zone| zone.name().eq_ignore_ascii_case(legacy))
                .unwrap_or_else(|| panic!("{legacy} is in the database"));
            let current: Tz = current.parse().unwrap();
            // 1970 to 2037 by steps of 11 hours.
            for hour in (0..595_000).step_by(11) {
                let instant = DateTime::from_timestamp(hour * 3600, 0)
                    .unwrap()
                    .naive_utc();
                assert_eq!(
                    legacy.offset_from_utc_datetime(&instant).fix(),
                    current.offset_from_utc_datetime(&instant).fix(),
                    "{legacy} and {current} at {instant}"
                );
            }
        }
    }
}
