//! Points in time as people write them.

use jiff::{Timestamp, ToSpan as _, Zoned, civil};
use rampart_policy::parse_duration;

/// Which end of a stretch of time a text names. It matters for a day: the one begins with it, the other ends with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// `--since`
    Begin,
    /// `--until`
    End,
}

/// The point in time that a text names, in milliseconds since 1970 UTC: so long ago (`7d`, `1h30m`), a day
/// (`2026-01-31`), a time of day there (`2026-01-31 09:30`), or RFC 3339 (`2026-01-31T09:30:00Z`). What `now` is tells the
/// time zone too.
pub fn moment(text: &str, edge: Edge, now: &Zoned) -> Option<u64> {
    let text = text.trim();
    let at = if let Some(ago) = parse_duration(text) {
        now.timestamp().as_millisecond().checked_sub(ago)?
    } else if let Ok(at) = text.parse::<Timestamp>() {
        at.as_millisecond()
    } else if let (false, Ok(day)) = (text.contains([':', 'T']), text.parse::<civil::Date>()) {
        let day = if edge == Edge::End { day.checked_add(1.day()).ok()? } else { day };
        day.to_zoned(now.time_zone().clone()).ok()?.timestamp().as_millisecond()
    } else {
        let local = text.parse::<civil::DateTime>().ok()?;
        local.to_zoned(now.time_zone().clone()).ok()?.timestamp().as_millisecond()
    };
    u64::try_from(at).ok()
}

/// The same, now and in UTC.
pub fn moment_in_utc(text: &str, edge: Edge) -> Option<u64> {
    moment(text, edge, &Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_in_time_as_people_write_them() {
        let now: Zoned = "2026-02-10T12:00:00+01:00[Europe/Berlin]".parse().unwrap();
        for (text, edge, wanted) in [
            ("7d", Edge::Begin, Some("2026-02-03T11:00:00Z")),
            ("1h30m", Edge::End, Some("2026-02-10T09:30:00Z")),
            ("2w", Edge::Begin, Some("2026-01-27T11:00:00Z")),
            ("2026-01-31", Edge::Begin, Some("2026-01-30T23:00:00Z")),
            ("2026-01-31", Edge::End, Some("2026-01-31T23:00:00Z")),
            ("2026-01-31 09:30", Edge::Begin, Some("2026-01-31T08:30:00Z")),
            ("2026-01-31T09:30:15", Edge::End, Some("2026-01-31T08:30:15Z")),
            ("2026-01-31T09:30:00Z", Edge::Begin, Some("2026-01-31T09:30:00Z")),
            ("2026-01-31T09:30:00+02:00", Edge::Begin, Some("2026-01-31T07:30:00Z")),
            ("", Edge::Begin, None),
            ("7", Edge::Begin, None),
            ("7 days", Edge::Begin, None),
            ("yesterday", Edge::Begin, None),
            ("2026-13-01", Edge::Begin, None),
            ("99999w", Edge::Begin, None),
        ] {
            let wanted = wanted.map(|w| w.parse::<Timestamp>().unwrap().as_millisecond().unsigned_abs());
            assert_eq!(moment(text, edge, &now), wanted, "{text:?}");
        }
    }
}
