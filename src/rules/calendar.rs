//! Days, as PostgreSQL counts them: from 2000-01-01.

/// The last day of the calendar, 5874897-12-31.
const LAST_DAY: i32 = 2_145_031_948;

/// `day + days` if it is a date.
pub fn add_days(day: i32, days: i32) -> Option<i32> {
    let day = day.checked_add(days)?;
    (day <= LAST_DAY).then_some(day)
}

const MICROSECONDS_PER_SECOND: i64 = 1_000_000;

/// Whether a `date` is one, not infinity.
pub fn is_day(day: i32) -> bool {
    day != i32::MIN && day != i32::MAX
}

/// When a payment was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaidAt {
    /// Microseconds since 2000-01-01 UTC.
    Moment(i64),
    /// A day in the program's zone.
    Day(i32),
}

impl PaidAt {
    /// The day, where `day_of` tells that of a moment.
    pub fn day(self, day_of: impl FnOnce(i64) -> Option<i32>) -> Option<i32> {
        match self {
            Self::Moment(moment) => day_of(moment),
            Self::Day(day) => Some(day),
        }
    }

    /// Whether it is in the second of a moment or later; a day counts as a whole. Columns of times
    /// may hold whole seconds, or microseconds of another clock.
    pub fn is_since(self, moment: i64, day_of: impl FnOnce(i64) -> Option<i32>) -> bool {
        let second = |moment: i64| moment.div_euclid(MICROSECONDS_PER_SECOND);
        match self {
            Self::Moment(paid_at) if paid_at < moment => second(paid_at) == second(moment),
            _ => self.is_not_before(moment, day_of),
        }
    }

    /// Whether it is at or after a moment, to the microsecond; a day counts as a whole.
    pub fn is_not_before(self, moment: i64, day_of: impl FnOnce(i64) -> Option<i32>) -> bool {
        match self {
            Self::Moment(paid_at) => paid_at >= moment,
            Self::Day(day) => day_of(moment).is_none_or(|first| day >= first),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_beyond_the_calendar_is_no_day() {
        assert_eq!(add_days(LAST_DAY - 1, 1), Some(LAST_DAY));
        assert_eq!(add_days(LAST_DAY, 1), None);
        assert_eq!(add_days(i32::MAX, 1), None);
    }

    #[test]
    fn a_day_counts_as_a_whole() {
        let noon_of_day_five = |_| Some(5);
        assert!(PaidAt::Day(5).is_not_before(1, noon_of_day_five));
        assert!(!PaidAt::Day(4).is_not_before(1, noon_of_day_five));
        assert!(!PaidAt::Moment(0).is_not_before(1, noon_of_day_five));
        assert!(PaidAt::Day(5).is_since(1, noon_of_day_five));
        assert!(!PaidAt::Day(4).is_since(1, noon_of_day_five));
    }

    #[test]
    fn a_second_counts_as_a_whole() {
        let is_since = |paid_at, moment| PaidAt::Moment(paid_at).is_since(moment, |_| None);
        assert!(is_since(5_000_000, 5_999_999));
        assert!(is_since(6_000_000, 5_999_999));
        assert!(!is_since(4_999_999, 5_000_000));
        assert!(is_since(-1_000_000, -1));
        assert!(!is_since(-1_000_001, -1_000_000));
        assert!(!is_since(-1, 0));
        assert!(is_since(i64::MIN, i64::MIN));
        assert!(!is_since(i64::MIN, i64::MAX));
    }
}
