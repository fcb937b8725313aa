//! ISO-8601 durations as definitions write them: `PT4H`, `P1D`, `PT75M`, `P1DT12H`.

use std::time::Duration;

/// Parses days, hours, minutes and whole seconds; `None` for anything else, zero included.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let rest = text.strip_prefix('P')?;
    let (date, time) = match rest.split_once('T') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None => (rest, ""),
    };
    let seconds = parts(date, &[('D', 86_400)])?
        .checked_add(parts(time, &[('H', 3_600), ('M', 60), ('S', 1)])?)?;
    (seconds > 0).then_some(Duration::from_secs(seconds))
}

/// Numbers each followed by one of `units`, in their order.
fn parts(mut text: &str, units: &[(char, u64)]) -> Option<u64> {
    let mut total = 0u64;
    for &(unit, seconds) in units {
        let Some((number, rest)) = text.split_once(unit) else { continue };
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(seconds)?)?;
        text = rest;
    }
    text.is_empty().then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check = |text: &str, minutes: Option<u64>| {
            assert_eq!(parse(text), minutes.map(|m| Duration::from_secs(m * 60)), "{text}");
        };
        check("PT4H", Some(240));
        check("P1D", Some(1_440));
        check("PT75M", Some(75));
        check("P1DT1H30M", Some(1_530));
        check("PT120S", Some(2));
        for bad in ["", "P", "PT", "4H", "PT4", "PTH", "PT4M3H", "P1DT", "PT-4H", "PT0S", "P4H"] {
            check(bad, None);
        }
        check("PT99999999999999999999H", None);
    }
}
