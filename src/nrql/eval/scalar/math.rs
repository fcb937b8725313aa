//! Functions of numbers.

use std::sync::Arc;

use super::{Apply, Known, Make, number, number_text};
use crate::nrql::eval::expr::Scope;
use crate::nrql::value::Value;

pub(super) const FUNCTIONS: &[(&str, Make)] = &[
    ("abs", Make::Numeric(f64::abs)),
    ("acos", Make::Numeric(f64::acos)),
    ("asin", Make::Numeric(f64::asin)),
    ("atan", Make::Numeric(f64::atan)),
    ("atan2", Make::Plain(2, 2, |values| of_two(values, f64::atan2))),
    ("cbrt", Make::Numeric(f64::cbrt)),
    ("ceil", Make::Numeric(f64::ceil)),
    ("clamp_max", Make::Plain(2, 2, |values| of_two(values, f64::min))),
    ("clamp_min", Make::Plain(2, 2, |values| of_two(values, f64::max))),
    ("cos", Make::Numeric(f64::cos)),
    ("exp", Make::Numeric(f64::exp)),
    ("floor", Make::Numeric(f64::floor)),
    ("getcdfcount", Make::Plain(2, 2, cdf_count)),
    ("ln", Make::Numeric(f64::ln)),
    ("log", Make::Plain(1, 2, log)),
    ("log2", Make::Numeric(f64::log2)),
    ("log10", Make::Numeric(f64::log10)),
    ("mod", Make::Plain(2, 2, |values| of_two(values, floor_modulus))),
    ("pow", Make::Plain(2, 2, |values| of_two(values, f64::powf))),
    ("round", Make::Special(round)),
    ("sign", Make::Numeric(sign)),
    ("sin", Make::Numeric(f64::sin)),
    ("sqrt", Make::Numeric(f64::sqrt)),
    ("tan", Make::Numeric(f64::tan)),
    ("buckets", Make::Special(buckets)),
    ("convert", Make::Plain(3, 3, convert)),
];

fn of_two(values: &[Value], function: fn(f64, f64) -> f64) -> Value {
    match (values[0].as_f64(), values[1].as_f64()) {
        (Some(first), Some(second)) => number(function(first, second)),
        _ => Value::Null,
    }
}

fn sign(value: f64) -> f64 {
    if value == 0.0 { 0.0 } else { value.signum() }
}

fn floor_modulus(value: f64, divisor: f64) -> f64 {
    value - divisor * (value / divisor).floor()
}

fn log(values: &[Value]) -> Value {
    match (values[0].as_f64(), values.get(1).map(Value::as_f64)) {
        (Some(value), None) => number(value.ln()),
        (Some(value), Some(Some(base))) => number(value.ln() / base.ln()),
        _ => Value::Null,
    }
}

fn cdf_count(values: &[Value]) -> Value {
    let within = match (values[0].as_f64(), values[1].as_f64()) {
        (Some(value), Some(threshold)) => value <= threshold,
        _ => false,
    };
    Value::Number(if within { 1.0 } else { 0.0 })
}

/// Halves go up, as in Java's `Math.round`.
fn half_up(value: f64) -> f64 {
    // Beyond this every float is whole, and adding a half could change it.
    const WHOLE: f64 = 4_503_599_627_370_496.0;
    let below = value.floor();
    if value.abs() >= WHOLE { value } else { below + f64::from(u8::from(value - below >= 0.5)) }
}

fn round(known: &[Known], _: &Scope) -> Result<Arc<Apply>, String> {
    match known.len() {
        1 => Ok(Arc::new(|values| values[0].as_f64().map_or(Value::Null, |v| number(half_up(v))))),
        2 => Ok(Arc::new(|values| match (values[0].as_f64(), values[1].as_f64()) {
            (Some(value), Some(nearest)) if nearest < 1.0 && (1.0 / nearest).fract() == 0.0 => {
                // Dividing by the whole reciprocal gives 0.3 where multiplying by 0.1 gives a digit
                // more.
                let per = 1.0 / nearest;
                number(half_up(value * per) / per)
            }
            (Some(value), Some(nearest)) => number(half_up(value / nearest) * nearest),
            _ => Value::Null,
        })),
        _ => Err("takes a number and, if need be, what to round to".to_owned()),
    }
}

/// `buckets(attribute, ceiling, count)`: the label of the bucket; outliers are in the last one.
fn buckets(known: &[Known], _: &Scope) -> Result<Arc<Apply>, String> {
    const COUNT_MAX: f64 = 500.0;
    let [_, ceiling, count] = known else {
        return Err("takes an attribute, a ceiling and a number of buckets".to_owned());
    };
    let (Some(ceiling), Some(count)) = (ceiling.number(), count.number()) else {
        return Err("takes numbers as ceiling and number of buckets".to_owned());
    };
    if ceiling <= 0.0 || !(1.0..=COUNT_MAX).contains(&count) {
        return Err("takes a ceiling above 0 and 1 to 500 buckets".to_owned());
    }
    let (count, width) = (count.trunc(), ceiling / count.trunc());
    Ok(Arc::new(move |values| {
        let Some(value) = values[0].as_f64() else { return Value::Null };
        let at = (value / width).floor().clamp(0.0, count - 1.0);
        let bound = |at: f64| number_text(at * width, None);
        Value::text(&format!("{} - {}", bound(at), bound(at + 1.0)))
    }))
}

/// What a unit measures, and how many of the smallest it is.
fn unit(name: &str) -> Option<(&'static str, f64)> {
    const DAY: f64 = 86_400.0;
    Some(match name {
        "ns" | "nanosecond" | "nanoseconds" => ("time", 1e-9),
        "us" | "µs" | "microsecond" | "microseconds" => ("time", 1e-6),
        "ms" | "millisecond" | "milliseconds" => ("time", 1e-3),
        "s" | "sec" | "second" | "seconds" => ("time", 1.0),
        "min" | "minute" | "minutes" => ("time", 60.0),
        "h" | "hr" | "hour" | "hours" => ("time", 3_600.0),
        "d" | "day" | "days" => ("time", DAY),
        "wk" | "week" | "weeks" => ("time", 7.0 * DAY),
        "a" | "year" | "years" => ("time", 365.25 * DAY),
        "bit" | "bits" => ("data", 0.125),
        "By" | "byte" | "bytes" => ("data", 1.0),
        "kBy" | "kilobyte" | "kilobytes" => ("data", 1e3),
        "MBy" | "megabyte" | "megabytes" => ("data", 1e6),
        "GBy" | "gigabyte" | "gigabytes" => ("data", 1e9),
        "TBy" | "terabyte" | "terabytes" => ("data", 1e12),
        "KiBy" | "kibibyte" | "kibibytes" => ("data", 1_024.0),
        "MiBy" | "mebibyte" | "mebibytes" => ("data", 1_048_576.0),
        "GiBy" | "gibibyte" | "gibibytes" => ("data", 1_073_741_824.0),
        "TiBy" | "tebibyte" | "tebibytes" => ("data", 1_099_511_627_776.0),
        "mm" | "millimeter" | "millimeters" => ("length", 1e-3),
        "cm" | "centimeter" | "centimeters" => ("length", 1e-2),
        "m" | "meter" | "meters" => ("length", 1.0),
        "km" | "kilometer" | "kilometers" => ("length", 1e3),
        "in" | "inch" | "inches" => ("length", 0.0254),
        "ft" | "foot" | "feet" => ("length", 0.3048),
        "mi" | "mile" | "miles" => ("length", 1_609.344),
        "mg" | "milligram" | "milligrams" => ("weight", 1e-3),
        "g" | "gram" | "grams" => ("weight", 1.0),
        "kg" | "kilogram" | "kilograms" => ("weight", 1e3),
        "lb" | "lbs" | "pound" | "pounds" => ("weight", 453.592_37),
        "oz" | "ounce" | "ounces" => ("weight", 28.349_523_125),
        _ => return None,
    })
}

fn convert(values: &[Value]) -> Value {
    let unit_of = |value: &Value| value.as_str().and_then(unit);
    match (values[0].as_f64(), unit_of(&values[1]), unit_of(&values[2])) {
        (Some(value), Some((from, factor)), Some((to, divisor))) if from == to => {
            number(value * factor / divisor)
        }
        _ => Value::Null,
    }
}
