//! Events as rows for people, in colour on a terminal, or as JSON lines.

use std::io::{self, BufWriter, IsTerminal as _, Stdout, Write as _};

use super::ReportFormat;
use crate::sim::time::SimTime;
use crate::sim::trace::TraceEvent;
use crate::sim::trace::export::EventJson;

/// How a row stands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Not at all.
    None,
    /// It is what was looked for.
    Found,
    /// It led to what was looked for.
    Cause,
}

/// Prints rows to standard output.
pub struct Rows {
    out: BufWriter<Stdout>,
    format: ReportFormat,
    colour: bool,
}

impl Rows {
    /// Rows in `format`.
    pub fn new(format: ReportFormat) -> Self {
        let out = io::stdout();
        let colour = out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
        Self { out: BufWriter::new(out), format, colour }
    }

    /// Prints one event.
    ///
    /// # Errors
    /// Those of standard output.
    pub fn event(&mut self, event: &TraceEvent, mark: Mark) -> io::Result<()> {
        match self.format {
            ReportFormat::Json => self.out.write_all(EventJson::from(event).line().as_bytes()),
            ReportFormat::Text => writeln!(self.out, "{}", row(event, mark, self.colour)),
        }
    }

    /// Prints what is still held back.
    ///
    /// # Errors
    /// Those of standard output.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Minutes, seconds and microseconds: finer than people need, coarser than the trace.
pub fn time(at: SimTime) -> String {
    let (seconds, micros) = (at.0 / 1_000_000_000, at.0 % 1_000_000_000 / 1_000);
    format!("{:02}:{:02}.{micros:06}", seconds / 60, seconds % 60)
}

/// One event in columns.
pub fn row(event: &TraceEvent, mark: Mark, colour: bool) -> String {
    let id = format!("#{}", event.id);
    let parent = event.parent.map_or_else(|| "-".to_owned(), |parent| format!("#{parent}"));
    let (source, kind) = (&event.source, &event.kind);
    let head = format!("{} {id:>8} {parent:>8}", time(event.at));
    let sign = match mark {
        Mark::None => "",
        Mark::Found => "▸ ",
        Mark::Cause => "  ",
    };
    let fields = event.field_text();
    if !colour {
        return format!("{sign}{head}  {source:<10} {kind:<12} {fields}").trim_end().to_owned();
    }
    let tint = match source.as_str() {
        "net" => "2",
        "fault" => "31",
        "fleet" => "33",
        "newrelic" => "32",
        _ => "36",
    };
    let strong = if mark == Mark::Found { "\x1b[1m" } else { "" };
    let text = format!("{sign}\x1b[2m{head}\x1b[0m  {strong}\x1b[{tint}m{source:<10} {kind:<12}");
    format!("{text}\x1b[0m {fields}").trim_end().to_owned()
}

/// One event in columns, from its JSON form.
pub fn json_row(event: &EventJson) -> String {
    row(&TraceEvent::from(event), Mark::None, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_columns_and_colour_adds_nothing_but_colour() {
        let event = TraceEvent::parse("0129000001234 317 12 net recv kind=fin flow=a:1>b:2", 1);
        let event = event.expect("an event");
        let plain = row(&event, Mark::None, false);
        assert_eq!(
            plain,
            "02:09.000001     #317      #12  net        recv         kind=fin flow=a:1>b:2"
        );
        let bare = regex::Regex::new("\x1b\\[[0-9]+m").expect("a pattern");
        for mark in [Mark::None, Mark::Found, Mark::Cause] {
            let coloured = row(&event, mark, true);
            assert_eq!(bare.replace_all(&coloured, ""), row(&event, mark, false));
        }
    }
}
