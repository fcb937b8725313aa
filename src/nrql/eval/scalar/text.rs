//! Functions of texts and lists, and between kinds of values.

use std::borrow::Cow;
use std::net::Ipv4Addr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};

use super::{Apply, Known, Make, value_text};
use crate::nrql::eval::expr::Scope;
use crate::nrql::value::Value;

pub(super) const FUNCTIONS: &[(&str, Make)] = &[
    ("boolean", Make::Plain(1, 1, boolean)),
    ("cidraddress", Make::Plain(1, 3, cidr_address)),
    ("concat", Make::Special(concat)),
    ("decode", Make::Plain(2, 2, decode)),
    ("encode", Make::Plain(2, 2, encode)),
    ("indexof", Make::Plain(2, 3, position)),
    ("join", Make::Plain(1, 2, join)),
    ("length", Make::Plain(1, 1, length)),
    ("lower", Make::Plain(1, 1, |values| of_text(&values[0], str::to_lowercase))),
    ("numeric", Make::Plain(1, 1, numeric)),
    ("position", Make::Plain(2, 3, position)),
    ("replace", Make::Plain(3, 3, replace)),
    ("split", Make::Plain(2, 2, split)),
    ("string", Make::Special(string)),
    ("substring", Make::Plain(2, 3, substring)),
    ("trim", Make::Plain(1, 1, |values| of_text(&values[0], |text| text.trim().to_owned()))),
    ("tuple", Make::Plain(1, usize::MAX, |values| Value::List(values.to_vec()))),
    ("upper", Make::Plain(1, 1, |values| of_text(&values[0], str::to_uppercase))),
];

/// Texts that functions make are cut here.
const CHARACTERS_MAX: usize = 4_096;

fn of_text(value: &Value, function: impl Fn(&str) -> String) -> Value {
    value.as_str().map_or(Value::Null, |text| Value::text(&function(text)))
}

fn boolean(values: &[Value]) -> Value {
    match &values[0] {
        Value::Bool(truth) => Value::Bool(*truth),
        Value::Text(text) if text.eq_ignore_ascii_case("true") => Value::Bool(true),
        Value::Text(text) if text.eq_ignore_ascii_case("false") => Value::Bool(false),
        _ => Value::Null,
    }
}

fn numeric(values: &[Value]) -> Value {
    match &values[0] {
        Value::Text(text) => match text.trim().parse::<i64>() {
            Ok(number) if number.unsigned_abs() > 1 << 53 => Value::Integer(number),
            _ => text.trim().parse().map_or(Value::Null, super::number),
        },
        Value::Number(_) | Value::Integer(_) => values[0].clone(),
        Value::Bool(truth) => Value::Number(f64::from(u8::from(*truth))),
        other => other.as_f64().map_or(Value::Null, Value::Number),
    }
}

/// The value of `precision:`, or of an argument that is the last and a number where it may stand.
fn precision(known: &[Known]) -> Option<usize> {
    const DECIMALS_MAX: f64 = 17.0;
    let named = known.iter().find(|own| own.name.as_deref() == Some("precision"))?;
    named.number().map(|decimals| decimals.clamp(0.0, DECIMALS_MAX) as usize)
}

fn unnamed(known: &[Known]) -> usize {
    known.iter().filter(|own| own.name.is_none()).count()
}

fn concat(known: &[Known], _: &Scope) -> Result<Arc<Apply>, String> {
    const ARGUMENTS_MAX: usize = 20;
    let (decimals, count) = (precision(known), unnamed(known));
    if count > ARGUMENTS_MAX {
        return Err("takes at most 20 arguments".to_owned());
    }
    let is_part: Vec<bool> = known.iter().map(|own| own.name.is_none()).collect();
    Ok(Arc::new(move |values| {
        let mut all = String::new();
        for (value, _) in values.iter().zip(&is_part).filter(|(_, is_part)| **is_part) {
            all.push_str(&value_text(value, decimals).unwrap_or_default());
        }
        Value::text(cut(&all))
    }))
}

fn cut(text: &str) -> &str {
    text.char_indices().nth(CHARACTERS_MAX).map_or(text, |(at, _)| &text[..at])
}

fn string(known: &[Known], _: &Scope) -> Result<Arc<Apply>, String> {
    let decimals = match known {
        [_, second] if second.name.is_none() => second.number().map(|number| number as usize),
        [_] | [_, _] => precision(known),
        _ => return Err("takes a value and, if need be, precision:".to_owned()),
    };
    Ok(Arc::new(move |values| {
        value_text(&values[0], decimals).map_or(Value::Null, |text| Value::text(&text))
    }))
}

#[expect(clippy::cast_precision_loss, reason = "lengths of texts and lists in memory")]
fn count(number: usize) -> Value {
    Value::Number(number as f64)
}

fn length(values: &[Value]) -> Value {
    match &values[0] {
        Value::Text(text) => count(text.chars().count()),
        Value::List(values) => count(values.len()),
        _ => Value::Null,
    }
}

fn position(values: &[Value]) -> Value {
    let (Some(text), Some(part)) = (values[0].as_str(), values[1].as_str()) else {
        return Value::Null;
    };
    let occurrence = values.get(2).map_or(Some(0.0), Value::as_f64);
    let Some(occurrence) = occurrence else { return Value::Null };
    if part.is_empty() {
        return Value::Null;
    }
    let found = if occurrence >= 0.0 {
        text.match_indices(part).nth(occurrence as usize)
    } else {
        text.rmatch_indices(part).nth((-occurrence) as usize - 1)
    };
    found.map_or(Value::Null, |(at, _)| count(text[..at].chars().count()))
}

fn substring(values: &[Value]) -> Value {
    let (Some(text), Some(start)) = (values[0].as_str(), values[1].as_f64()) else {
        return Value::Null;
    };
    let wanted = match values.get(2) {
        None => usize::MAX,
        Some(length) => match length.as_f64() {
            Some(length) => length.max(0.0) as usize,
            None => return Value::Null,
        },
    };
    let skip = if start >= 0.0 {
        start as usize
    } else {
        text.chars().count().saturating_sub((-start) as usize)
    };
    Value::text(&text.chars().skip(skip).take(wanted).collect::<String>())
}

fn replace(values: &[Value]) -> Value {
    match (values[0].as_str(), values[1].as_str(), values[2].as_str()) {
        (Some(text), Some(from), Some(to)) if !from.is_empty() => {
            joined(text.split(from).map(Cow::Borrowed), to)
        }
        _ => Value::Null,
    }
}

/// Parts with `by` between them; what is too long is never made.
fn joined<'a>(parts: impl Iterator<Item = Cow<'a, str>>, by: &str) -> Value {
    let mut all = String::new();
    for (at, part) in parts.enumerate() {
        if all.len() > CHARACTERS_MAX * char::MAX_LEN_UTF8 {
            break;
        }
        if at > 0 {
            all.push_str(by);
        }
        all.push_str(&part);
    }
    Value::text(cut(&all))
}

fn split(values: &[Value]) -> Value {
    const PARTS_MAX: usize = 1_000;
    match (values[0].as_str(), values[1].as_str()) {
        (Some(text), Some(by)) if !by.is_empty() => {
            Value::List(text.split(by).take(PARTS_MAX).map(Value::text).collect())
        }
        _ => Value::Null,
    }
}

fn join(values: &[Value]) -> Value {
    let by = values.get(1).map_or(Some(","), Value::as_str);
    match (&values[0], by) {
        (Value::List(values), Some(by)) => {
            let texts = values.iter().filter_map(|value| value_text(value, None));
            joined(texts.map(Cow::Owned), by)
        }
        _ => Value::Null,
    }
}

fn encode(values: &[Value]) -> Value {
    let (Some(text), Some(how)) = (values[0].as_str(), values[1].as_str()) else {
        return Value::Null;
    };
    match how {
        "base64" => Value::text(&STANDARD.encode(text)),
        "base64url" => Value::text(&URL_SAFE.encode(text)),
        "base64mime" => {
            const LINE: usize = 76;
            let whole = STANDARD.encode(text);
            let lines = whole.as_bytes().chunks(LINE).map(|line| String::from_utf8_lossy(line));
            Value::text(&lines.collect::<Vec<_>>().join("\r\n"))
        }
        _ => Value::Null,
    }
}

fn decode(values: &[Value]) -> Value {
    let (Some(text), Some(how)) = (values[0].as_str(), values[1].as_str()) else {
        return Value::Null;
    };
    let bytes = match how {
        "base64" => STANDARD.decode(text).ok(),
        "base64url" => URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok(),
        "base64mime" => {
            let clean: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
            STANDARD.decode(clean).ok()
        }
        _ => None,
    };
    bytes.and_then(|bytes| String::from_utf8(bytes).ok()).map_or(Value::Null, |t| Value::text(&t))
}

/// The network of an address, by a prefix of its own or given.
fn cidr_address(values: &[Value]) -> Value {
    const BITS: u32 = u32::BITS;
    let Some(text) = values[0].as_str() else { return Value::Null };
    let (address, own) = match text.split_once('/') {
        Some((address, prefix)) => (address, prefix.parse::<u32>().ok()),
        None => (text, None),
    };
    let given = values.get(1).and_then(Value::as_f64).map(|number| number as u32);
    let with_prefix = values.get(2).is_none_or(|format| *format != Value::Bool(false));
    match (address.parse::<Ipv4Addr>(), given.or(own)) {
        (Ok(address), Some(prefix)) if prefix <= BITS => {
            let mask = u32::MAX.checked_shl(BITS - prefix).unwrap_or(0);
            let network = Ipv4Addr::from_bits(address.to_bits() & mask);
            let text =
                if with_prefix { format!("{network}/{prefix}") } else { network.to_string() };
            Value::text(&text)
        }
        _ => Value::Null,
    }
}
