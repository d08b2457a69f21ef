//! Which conversation begins when: any of them by its number, without a list of them.
//!
//! Conversations are numbered in the order of their starts. A day has its share of them; the hours' weights say how they lie in
//! it, each in a slot of its own at an instant drawn from its number. So the start of any number, and the first number at any
//! instant, are a computation.

use super::ids::mix;
use super::moment::DAY;
use crate::config::History;

const HOUR: i64 = 3_600_000;

/// When conversations begin.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    from: i64,
    days: u64,
    conversations: u64,
    seed: u64,
    on_the_hour: bool,
    /// Weight before each hour, and of the whole day: a hour's weight is its share of milliseconds.
    before: [u64; 25],
    hours: [u64; 24],
}

impl Plan {
    pub(crate) fn new(history: &History) -> Self {
        let mut hours = history.hours.map(u64::from);
        if hours.iter().sum::<u64>() == 0 {
            hours = [1; 24];
        }
        let mut before = [0; 25];
        for (hour, weight) in hours.iter().enumerate() {
            before[hour + 1] = before[hour] + weight * HOUR.unsigned_abs();
        }
        Self {
            from: history.from.0,
            days: u64::from(history.days.max(1)),
            conversations: history.conversations,
            seed: history.seed,
            on_the_hour: history.on_the_hour,
            before,
            hours,
        }
    }

    /// How many conversations there are.
    pub(crate) const fn len(&self) -> u64 {
        self.conversations
    }

    /// The number of the first conversation of a day.
    pub(crate) fn first_of(&self, day: u64) -> u64 {
        let share = u128::from(self.conversations) * u128::from(day.min(self.days));
        u64::try_from(share / u128::from(self.days)).unwrap_or(u64::MAX)
    }

    /// The day of a conversation, and which of it it is.
    pub(crate) fn day_of(&self, number: u64) -> (u64, u64) {
        let about = u128::from(number) * u128::from(self.days) / u128::from(self.conversations.max(1));
        let mut day = u64::try_from(about).unwrap_or(0).min(self.days - 1);
        while day > 0 && self.first_of(day) > number {
            day -= 1;
        }
        while day + 1 < self.days && self.first_of(day + 1) <= number {
            day += 1;
        }
        (day, number - self.first_of(day))
    }

    /// The first instant of a day.
    pub(crate) fn day_start(&self, day: u64) -> i64 {
        self.from + i64::try_from(day).unwrap_or(0) * DAY
    }

    /// The instant at which the day's business begins, and that at which it ends.
    pub(crate) fn business(&self, day: u64) -> (i64, i64) {
        let open = |hours: &mut dyn Iterator<Item = usize>| {
            let mut hours = hours.filter(|hour| self.hours[*hour] > 0);
            i64::try_from(hours.next().unwrap_or(0)).unwrap_or(0)
        };
        let (first, last) = (open(&mut (0..24)), open(&mut (0..24).rev()));
        let start = self.day_start(day);
        (start + first * HOUR, start + (last + 1) * HOUR)
    }

    /// When a conversation begins.
    pub(crate) fn start_of(&self, number: u64) -> i64 {
        let (day, index) = self.day_of(number);
        let start = self.day_start(day);
        if self.on_the_hour && index < 2 {
            return start;
        }
        let count = self.first_of(day + 1) - self.first_of(day);
        let drawn = mix(self.seed ^ number.wrapping_mul(0xD6E8_FEB8_6659_FD93)) & 0xFFFF;
        let at = |index: u64, drawn: u64| {
            let part = u128::from(index << 16 | drawn) * u128::from(self.before[24]);
            u64::try_from((part / u128::from(count.max(1))) >> 16).unwrap_or(0)
        };
        let (low, high) = (at(index, 0), at(index + 1, 0));
        if self.on_the_hour
            && let Some(hour) = (0..24).find(|&hour| {
                self.hours[hour] > 0 && (low..high).contains(&self.before[hour])
            })
        {
            return start + i64::try_from(hour).unwrap_or(0) * HOUR;
        }
        start + self.within_day(at(index, drawn))
    }

    /// The instant of the day up to which this much of its weight has passed.
    fn within_day(&self, weight: u64) -> i64 {
        let hour = (0..24)
            .find(|&hour| weight < self.before[hour + 1])
            .unwrap_or(23);
        let within = (weight - self.before[hour]) / self.hours[hour].max(1);
        i64::try_from(hour).unwrap_or(0) * HOUR + i64::try_from(within).unwrap_or(0)
    }

    /// The first conversation that begins at an instant or after it.
    pub(crate) fn first_from(&self, at: i64) -> u64 {
        let (mut low, mut high) = (0, self.conversations);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.start_of(middle) < at {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(days: u32, conversations: u64, change: impl Fn(&mut History)) -> Plan {
        let mut history = History {
            days,
            conversations,
            ..History::default()
        };
        change(&mut history);
        Plan::new(&history)
    }

    #[test]
    fn every_conversation_belongs_to_one_day_and_starts_never_go_back() {
        for (days, conversations) in [(1, 1), (3, 1_000), (90, 7_777), (7, 5)] {
            let plan = plan(days, conversations, |_| {});
            let mut before = i64::MIN;
            for number in 0..conversations {
                let (day, index) = plan.day_of(number);
                assert_eq!(plan.first_of(day) + index, number);
                let start = plan.start_of(number);
                let first = plan.day_start(day);
                assert!((first..first + DAY).contains(&start), "{number}: {start}");
                assert!(start >= before, "{number}");
                before = start;
            }
            assert_eq!(plan.first_of(u64::from(days)), conversations);
        }
    }

    #[test]
    fn the_first_from_an_instant_is_found() {
        let plan = plan(3, 2_000, |_| {});
        for number in 1..2_000 {
            let start = plan.start_of(number);
            let found = plan.first_from(start);
            assert_eq!(plan.start_of(found), start);
            assert!(found == 0 || plan.start_of(found - 1) < start);
        }
        assert_eq!(plan.first_from(i64::MAX), 2_000);
    }

    #[test]
    fn each_busy_hour_and_each_day_begin_with_a_conversation() {
        let plan = plan(2, 4_000, |_| {});
        for day in 0..2 {
            for hour in 12..24 {
                let at = plan.day_start(day) + hour * HOUR;
                assert_eq!(plan.start_of(plan.first_from(at)), at);
            }
            let first = plan.first_of(day);
            assert_eq!(plan.start_of(first), plan.day_start(day));
            assert_eq!(plan.start_of(first + 1), plan.day_start(day));
        }
    }

    #[test]
    fn quiet_hours_have_none_but_the_days_first() {
        let plan = plan(1, 2_400, |history| {
            history.hours = [0; 24];
            history.hours[8] = 1;
            history.hours[9] = 3;
        });
        let count = |from: i64, until: i64| {
            plan.first_from(plan.day_start(0) + until * HOUR)
                - plan.first_from(plan.day_start(0) + from * HOUR)
        };
        assert_eq!(count(0, 8), 2);
        assert_eq!(count(8, 9), 598);
        assert_eq!(count(9, 10), 1_800);
        assert_eq!(count(10, 24), 0);
    }
}
