//! Names that mean the same zone: renamed and legacy ones lead to the name in use, so that equal zones are grouped together.
//!
//! Only pairs of the zone database's own links whose names are seen in agents' profiles are listed. A legacy name that is not here
//! still resolves, to the same wall clock, under its own name.

/// Ascending by the first of each pair, which is in lower case.
const RENAMED: &[(&str, &str)] = &[
    ("america/buenos_aires", "America/Argentina/Buenos_Aires"),
    ("america/fort_wayne", "America/Indiana/Indianapolis"),
    ("america/godthab", "America/Nuuk"),
    ("america/indianapolis", "America/Indiana/Indianapolis"),
    ("america/louisville", "America/Kentucky/Louisville"),
    ("asia/calcutta", "Asia/Kolkata"),
    ("asia/dacca", "Asia/Dhaka"),
    ("asia/katmandu", "Asia/Kathmandu"),
    ("asia/rangoon", "Asia/Yangon"),
    ("asia/saigon", "Asia/Ho_Chi_Minh"),
    ("asia/tel_aviv", "Asia/Jerusalem"),
    ("asia/ulan_bator", "Asia/Ulaanbaatar"),
    ("atlantic/faeroe", "Atlantic/Faroe"),
    ("australia/act", "Australia/Sydney"),
    ("australia/canberra", "Australia/Sydney"),
    ("australia/lhi", "Australia/Lord_Howe"),
    ("australia/north", "Australia/Darwin"),
    ("australia/nsw", "Australia/Sydney"),
    ("australia/queensland", "Australia/Brisbane"),
    ("australia/south", "Australia/Adelaide"),
    ("australia/tasmania", "Australia/Hobart"),
    ("australia/victoria", "Australia/Melbourne"),
    ("australia/west", "Australia/Perth"),
    ("brazil/east", "America/Sao_Paulo"),
    ("canada/atlantic", "America/Halifax"),
    ("canada/central", "America/Winnipeg"),
    ("canada/eastern", "America/Toronto"),
    ("canada/mountain", "America/Edmonton"),
    ("canada/newfoundland", "America/St_Johns"),
    ("canada/pacific", "America/Vancouver"),
    ("cuba", "America/Havana"),
    ("egypt", "Africa/Cairo"),
    ("eire", "Europe/Dublin"),
    ("etc/gmt", "UTC"),
    ("etc/greenwich", "UTC"),
    ("etc/uct", "UTC"),
    ("etc/universal", "UTC"),
    ("etc/utc", "UTC"),
    ("etc/zulu", "UTC"),
    ("europe/kiev", "Europe/Kyiv"),
    ("gb", "Europe/London"),
    ("gb-eire", "Europe/London"),
    ("gmt", "UTC"),
    ("greenwich", "UTC"),
    ("hongkong", "Asia/Hong_Kong"),
    ("iran", "Asia/Tehran"),
    ("israel", "Asia/Jerusalem"),
    ("jamaica", "America/Jamaica"),
    ("japan", "Asia/Tokyo"),
    ("nz", "Pacific/Auckland"),
    ("nz-chat", "Pacific/Chatham"),
    ("poland", "Europe/Warsaw"),
    ("portugal", "Europe/Lisbon"),
    ("prc", "Asia/Shanghai"),
    ("rok", "Asia/Seoul"),
    ("singapore", "Asia/Singapore"),
    ("turkey", "Europe/Istanbul"),
    ("uct", "UTC"),
    ("universal", "UTC"),
    ("us/alaska", "America/Anchorage"),
    ("us/arizona", "America/Phoenix"),
    ("us/central", "America/Chicago"),
    ("us/east-indiana", "America/Indiana/Indianapolis"),
    ("us/eastern", "America/New_York"),
    ("us/hawaii", "Pacific/Honolulu"),
    ("us/michigan", "America/Detroit"),
    ("us/mountain", "America/Denver"),
    ("us/pacific", "America/Los_Angeles"),
    ("utc", "UTC"),
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

    /// Guards against a pair that would shift somebody's clock.
    #[test]
    fn a_legacy_name_and_the_name_in_use_have_one_wall_clock() {
        for (legacy, current) in RENAMED {
            let zones = chrono_tz::TZ_VARIANTS;
            let legacy = zones
                .iter()
                .find(|zone| zone.name().eq_ignore_ascii_case(legacy))
                .unwrap_or_else(|| panic!("{legacy} is in the database"));
            let current: Tz = current.parse().unwrap();
            // 1972 to 2037 by steps of 11 hours.
            for hour in (17_520..595_000).step_by(11) {
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
