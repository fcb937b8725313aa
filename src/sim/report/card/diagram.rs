//! The sequence diagram: hosts as lifelines, time downwards (in order, not to scale).
//!
//! Invariants:
//! - Everything is drawn in plain attributes and classes; the page's style or the picture's own
//!   gives them colours.
//! - Words of messages stand above their line, between two lifelines; all others on a plate of
//!   their own: no line goes through them.

use std::fmt::Write as _;

use super::text::{at, bytes, counted, escape};
use crate::sim::report::timeline::clock;
use crate::sim::run::evidence::{Outcome, Row, Sequence};
use crate::sim::time::SimTime;

/// Width of the column of times, of a lifeline's column; height of the head and of a row; pixels.
const TIMES: f64 = 76.0;
const COLUMN_MIN: f64 = 132.0;
const COLUMN_MAX: f64 = 300.0;
const HEAD: f64 = 40.0;
const ROW: f64 = 27.0;
/// Width of a wide page, pixels: columns share it as far as their least width lets them.
const PAGE: f64 = 1_000.0;
/// Width of a letter of the diagram's font, pixels, rounded up.
const LETTER: f64 = 6.7;
/// Letters of a band or a note that are shown; the rest is in the details.
const LETTERS_MAX: usize = 64;

/// Width and height of the diagram, pixels.
pub fn size(sequence: &Sequence) -> (f64, f64) {
    let width = TIMES + column_width(sequence) * sequence.hosts.len().max(1) as f64;
    (width, HEAD + ROW * sequence.rows.len() as f64 + 12.0)
}

fn column_width(sequence: &Sequence) -> f64 {
    let share = (PAGE - TIMES) / sequence.hosts.len().max(1) as f64;
    share.clamp(COLUMN_MIN, COLUMN_MAX).floor()
}

/// Where the lifelines stand.
struct Columns {
    wide: f64,
    /// Right end of everything.
    end: f64,
}

impl Columns {
    fn x(&self, index: usize) -> f64 {
        TIMES + self.wide * (index as f64 + 0.5)
    }
}

/// What is drawn, without the document around it.
pub fn body(sequence: &Sequence) -> String {
    let (width, height) = size(sequence);
    let mut out = String::from(
        "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" \
         markerHeight=\"8\" orient=\"auto-start-reverse\"><path d=\"M0 0L8 4L0 8z\" \
         fill=\"context-stroke\"/></marker></defs>",
    );
    bands(&mut out, sequence, width);
    let columns = Columns { wide: column_width(sequence), end: width };
    for (index, host) in sequence.hosts.iter().enumerate() {
        let x = at(columns.x(index));
        let _ = write!(
            out,
            "<line class=\"life\" x1=\"{x}\" x2=\"{x}\" y1=\"{HEAD}\" y2=\"{}\"/>\
             <text class=\"host\" x=\"{x}\" y=\"24\" text-anchor=\"middle\">{}</text>",
            at(height - 4.0),
            escape(&cut(host, (columns.wide / 7.0) as usize))
        );
    }
    let mut last: Option<String> = None;
    for (index, (from, to, row)) in sequence.rows.iter().enumerate() {
        let y = HEAD + ROW * (index as f64 + 0.5);
        let time = clock(*from);
        let shown = (last.as_ref() != Some(&time)).then_some(time.as_str());
        let _ = write!(
            out,
            "<g class=\"row\" tabindex=\"0\" role=\"button\" data-row=\"{index}\" \
             aria-label=\"{}\"><rect class=\"hit\" x=\"0\" y=\"{}\" width=\"{}\" \
             height=\"{ROW}\"/>",
            escape(&words(sequence, *from, *to, row)),
            at(y - ROW / 2.0),
            at(width)
        );
        if let Some(time) = shown {
            let _ = write!(out, "<text class=\"time\" x=\"4\" y=\"{}\">{time}</text>", at(y + 4.0));
        }
        draw(&mut out, row, y, &columns);
        out.push_str("</g>");
        last = Some(time);
    }
    out
}

/// Rows between a fault's begin and its end lie on its colour.
fn bands(out: &mut String, sequence: &Sequence, width: f64) {
    let mut since: Option<usize> = None;
    let mut depth = 0_u32;
    let mut draw = |from: usize, to: usize| {
        let _ = write!(
            out,
            "<rect class=\"band\" x=\"0\" y=\"{}\" width=\"{}\" height=\"{}\"/>",
            at(HEAD + ROW * from as f64),
            at(width),
            at(ROW * (to - from) as f64)
        );
    };
    for (index, (_, _, row)) in sequence.rows.iter().enumerate() {
        let Row::Band { words, fault: true } = row else { continue };
        if words.starts_with("begins") {
            since = since.or(Some(index));
            depth += 1;
        } else {
            // One that began before the diagram does ends here.
            depth = depth.saturating_sub(1);
            if depth == 0 {
                draw(since.take().unwrap_or(0), index + 1);
            }
        }
    }
    if let Some(from) = since {
        draw(from, sequence.rows.len());
    }
}

fn cut(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        return text.to_owned();
    }
    text.chars().take(letters - 1).chain(['…']).collect()
}

fn plate(out: &mut String, class: &str, x: f64, y: f64, words: &str, room: f64) {
    let letters = ((room - 12.0) / LETTER).max(4.0) as usize;
    let words = cut(words, letters.min(LETTERS_MAX));
    let width = words.chars().count() as f64 * LETTER + 12.0;
    let left = x - width / 2.0;
    let _ = write!(
        out,
        "<rect class=\"plate {class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"17\" rx=\"3\"/>\
         <text class=\"{class}\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
        at(left),
        at(y - 8.5),
        at(width),
        at(x),
        at(y + 4.0),
        escape(&words)
    );
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Arrived => "arrived",
        Outcome::Refused => "refused",
        Outcome::Lost => "lost",
    }
}

fn draw(out: &mut String, row: &Row, y: f64, columns: &Columns) {
    let width = columns.end;
    match row {
        Row::Messages { from, to, count, bytes: size, outcome: fate, what, .. } => {
            let class = outcome(*fate);
            let (x1, x2) = (columns.x(*from), columns.x(*to));
            let ahead = if x2 > x1 { -1.0 } else { 1.0 };
            let (end, tip) = match fate {
                // What is lost does not get there.
                Outcome::Lost => (x1 + (x2 - x1) * 0.8, ""),
                _ => (x2 + ahead * 2.0, " marker-end=\"url(#tip)\""),
            };
            let _ = write!(
                out,
                "<line class=\"message {class}\" x1=\"{0}\" x2=\"{2}\" y1=\"{1}\" y2=\"{1}\"{tip}/>",
                at(x1),
                at(y),
                at(end)
            );
            if *fate == Outcome::Lost {
                let _ = write!(
                    out,
                    "<path class=\"cross\" d=\"M{} {}l8 8m0 -8l-8 8\"/>",
                    at(end - 4.0),
                    at(y - 4.0)
                );
            }
            let label = label(*count, *size, what, *fate);
            // On the first stretch, where no other lifeline is.
            let middle = x1 + (columns.wide / 2.0).min((x2 - x1).abs() / 2.0) * -ahead;
            let words = cut(&label, ((columns.wide + 16.0) / LETTER) as usize);
            let _ = write!(
                out,
                "<text class=\"{class}\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                at(middle),
                at(y - 3.5),
                escape(&words)
            );
        }
        Row::Note { on, words, outcome: fate } => {
            let x = columns.x(*on);
            let class = format!("note {}", outcome(*fate));
            // Words may be longer than a column; they never leave the diagram.
            let room = width - TIMES - 8.0;
            let letters = words.chars().count().min(LETTERS_MAX);
            let half = ((letters as f64 * LETTER + 12.0) / 2.0).min(room / 2.0);
            plate(out, &class, x.clamp(TIMES + half, width - half - 4.0), y, words, room);
        }
        Row::Band { words, fault } => {
            let class = if *fault { "fault" } else { "broken" };
            let _ = write!(
                out,
                "<line class=\"{class}\" x1=\"{}\" x2=\"{}\" y1=\"{2}\" y2=\"{2}\"/>",
                at(TIMES),
                at(width - 4.0),
                at(y)
            );
            plate(out, class, TIMES + (width - TIMES) / 2.0, y, words, width - TIMES - 20.0);
        }
    }
}

fn label(count: u64, size: u64, what: &str, fate: Outcome) -> String {
    let lost = if fate == Outcome::Lost { " ✗" } else { "" };
    let size = if size > 0 { format!(" · {}", bytes(size)) } else { String::new() };
    match (count, what.contains(',')) {
        (_, true) => format!("{count} messages{size}{lost}"),
        (1, _) => format!("{what}{size}{lost}"),
        _ => format!("{count} × {what}{size}{lost}"),
    }
}

/// A row as one sentence.
fn words(sequence: &Sequence, from: SimTime, to: SimTime, row: &Row) -> String {
    let name = |index: &usize| sequence.hosts.get(*index).map_or("?", String::as_str);
    let when = super::text::span(from, to);
    match row {
        Row::Messages { from, to, count, bytes: size, outcome: fate, what, .. } => format!(
            "{when}: {} → {}, {} ({what}), {}{}",
            name(from),
            name(to),
            counted(*count, "message"),
            bytes(*size),
            match fate {
                Outcome::Arrived => "",
                Outcome::Refused => ", refused",
                Outcome::Lost => ", lost",
            }
        ),
        Row::Note { on, words, .. } => format!("{when}: {} {words}", name(on)),
        Row::Band { words, .. } => format!("{when}: {words}"),
    }
}

/// What the script shows when somebody opens a row: its sentence and its single messages.
pub fn details(sequence: &Sequence) -> Vec<(String, Vec<String>)> {
    let told = |(from, to, row): &(SimTime, SimTime, Row)| {
        let Row::Messages { count, details, .. } = row else {
            return (words(sequence, *from, *to, row), Vec::new());
        };
        let line = |(at, words): &(SimTime, String)| format!("{at} {words}");
        let mut lines: Vec<String> =
            if *count > 1 { details.iter().map(line).collect() } else { Vec::new() };
        let more = count - details.len() as u64;
        if more > 0 {
            lines.push(format!("… and {} more", super::text::whole(more)));
        }
        (words(sequence, *from, *to, row), lines)
    };
    sequence.rows.iter().map(told).collect()
}
