//! Lines to the tree, past every mistake.

use std::ops::Range;

use super::lines::{Block, Keyword, Kind, Line, lines};
use super::table;
use super::{Argument, Examples, Feature, Rule, Scenario, Step, Table, Text, misspelt, problem};
use crate::bdd::steps::Phase;
use crate::config::toml_file::Problem;

/// Words at the begin of a sentence that are near a keyword and mean themselves.
const PROSE: [&str; 18] = [
    "the", "them", "they", "there", "these", "any", "an", "all", "what", "who", "where", "ten",
    "even", "give", "gives", "put", "out", "add",
];

/// Reads `text`: its feature, unless there is none, and everything that is wrong with it.
///
/// `resembles` tells whether words are near to those of a known step: of a description they are
/// then taken for a step whose keyword is misspelt.
pub fn read(text: &str, resembles: &dyn Fn(&str) -> bool) -> (Option<Feature>, Vec<Problem>) {
    let lines = lines(text);
    let mut reader = Reader { text, lines, at: 0, problems: Vec::new(), resembles };
    let feature = reader.feature();
    (feature, reader.problems)
}

struct Reader<'t> {
    text: &'t str,
    lines: Vec<Line>,
    at: usize,
    problems: Vec<Problem>,
    resembles: &'t dyn Fn(&str) -> bool,
}

/// What a block holds besides its scenarios and rules.
struct Head {
    name: Text,
    description: String,
}

impl Reader<'_> {
    fn tell(
        &mut self,
        rule: &'static str,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.problems.push(problem(rule, span, message, help));
    }

    /// The next line that is no blank and no comment; its position becomes the current one.
    fn peek(&mut self) -> Option<Line> {
        while let Some(line) = self.lines.get(self.at) {
            if !matches!(line.kind, Kind::Blank | Kind::Comment) {
                return Some(line.clone());
            }
            self.at += 1;
        }
        None
    }

    /// A comment above the feature may name its language, which must be ours.
    fn language(&mut self) {
        let above =
            self.lines.iter().take_while(|line| matches!(line.kind, Kind::Blank | Kind::Comment));
        let named = above.filter_map(|line| {
            let words = self.text[line.span.clone()].trim_start_matches('#').trim();
            let language = words.strip_prefix("language")?.trim_start().strip_prefix(':')?.trim();
            Some((language.to_owned(), line.span.clone()))
        });
        let other = named.into_iter().find(|(language, _)| language != "en");
        if let Some((language, span)) = other {
            let message = format!("steps are known in English, not in `{language}`");
            self.tell("language", span, message, "leave the line out, and write English keywords");
        }
    }

    fn slice(&self, span: &Range<usize>) -> &str {
        &self.text[span.clone()]
    }

    fn feature(&mut self) -> Option<Feature> {
        self.language();
        let tags = self.tags();
        let Some(line) = self.peek() else {
            let help = "begin with a line `Feature: …`, then `Scenario: …` and its steps";
            self.tell("no_feature", 0..self.text.len().min(1), "the file has no feature", help);
            return None;
        };
        match line.kind {
            Kind::Block(Block::Feature) => {}
            Kind::Words => {
                self.at += 1;
                self.meant(&line.span, false);
            }
            _ => {}
        }
        match self.peek().map(|line| line.kind) {
            Some(Kind::Block(Block::Feature)) => {}
            _ => {
                let help = "the first line that is no comment and no tag is `Feature: …`";
                self.tell("no_feature", line.span, "this stands before any feature", help);
                return None;
            }
        }
        let Head { name, description } = self.head("feature");
        let (background, scenarios, rules) = self.body(&name, true);
        Some(Feature { name, description, tags, background, scenarios, rules })
    }

    /// Background, scenarios and, in a feature, rules.
    fn body(&mut self, of: &Text, is_feature: bool) -> (Vec<Step>, Vec<Scenario>, Vec<Rule>) {
        let (mut background, mut scenarios, mut rules) = (None, Vec::new(), Vec::new());
        loop {
            let before_tags = self.at;
            let tags = self.tags();
            let Some(line) = self.peek() else {
                self.dangling(&tags);
                break;
            };
            match line.kind {
                Kind::Block(Block::Rule) if is_feature => rules.push(self.rule(tags)),
                Kind::Block(Block::Rule) => {
                    self.at = before_tags;
                    break;
                }
                Kind::Block(block @ (Block::Scenario | Block::Outline)) => {
                    scenarios.push(self.scenario(block == Block::Outline, tags));
                }
                Kind::Block(Block::Background) if background.is_none() && scenarios.is_empty() => {
                    self.dangling(&tags);
                    background = Some(self.background());
                }
                _ => self.stray(&line, &tags),
            }
        }
        if scenarios.is_empty() && rules.is_empty() {
            let (kind, rule) =
                if is_feature { ("feature", "empty_feature") } else { ("rule", "empty_rule") };
            let message = format!("this {kind} has no scenario, so it proves nothing");
            self.tell(rule, of.span.clone(), message, "add a scenario, or remove it");
        }
        (background.unwrap_or_default(), scenarios, rules)
    }

    fn rule(&mut self, tags: Vec<Text>) -> Rule {
        let Head { name, description } = self.head("rule");
        let (background, scenarios, _) = self.body(&name, false);
        Rule { name, description, tags, background, scenarios }
    }

    fn background(&mut self) -> Vec<Step> {
        let line = self.lines[self.at].span.clone();
        self.at += 1;
        self.description(true);
        let steps = self.steps();
        if steps.is_empty() {
            self.tell(
                "empty_scenario",
                line,
                "this background has no step",
                "add one, or remove it",
            );
        }
        steps
    }

    fn scenario(&mut self, is_outline: bool, tags: Vec<Text>) -> Scenario {
        let line = self.lines[self.at].span.clone();
        let Head { name, description } = self.head("scenario");
        let steps = self.steps();
        if steps.is_empty() {
            let help = "add steps: `Given …`, `When …`, `Then …`";
            self.tell(
                "empty_scenario",
                line,
                "this scenario has no step, so it proves nothing",
                help,
            );
        }
        let mut examples = Vec::new();
        while let Some(tags) = self.examples_ahead() {
            examples.push(self.examples(tags));
        }
        Scenario { name, description, tags, steps, is_outline, examples }
    }

    /// The tags of examples that come next; `None` when no examples do.
    fn examples_ahead(&mut self) -> Option<Vec<Text>> {
        let before = (self.at, self.problems.len());
        let tags = self.tags();
        if self.peek().is_some_and(|line| line.kind == Kind::Block(Block::Examples)) {
            return Some(tags);
        }
        // They are read again as those of the next scenario.
        self.at = before.0;
        self.problems.truncate(before.1);
        None
    }

    fn examples(&mut self, tags: Vec<Text>) -> Examples {
        let line = self.lines[self.at].clone();
        self.at += 1;
        let name = Text { value: self.slice(&line.rest).to_owned(), span: line.rest };
        let description = self.description(false);
        let table = self.table();
        if table.rows.len() < 2 {
            let help = "write a row with the names of the holes, and below it one for each case";
            self.tell("empty_examples", line.span, "these examples have no case", help);
        }
        Examples { name, description, tags, table }
    }

    /// Name and description of the block at the current line.
    fn head(&mut self, kind: &str) -> Head {
        let line = self.lines[self.at].clone();
        self.at += 1;
        let mut name = Text { value: self.slice(&line.rest).to_owned(), span: line.rest };
        if name.value.is_empty() {
            name.span = line.span.clone();
            let message = format!("this {kind} has no name");
            self.tell("no_name", line.span, message, "say in a few words what it is about");
        }
        Head { name, description: self.description(kind == "scenario") }
    }

    /// Words until something else comes; looks for keywords in them.
    fn description(&mut self, steps_follow: bool) -> String {
        let mut words = Vec::new();
        while let Some(line) = self.peek() {
            if line.kind != Kind::Words {
                break;
            }
            self.at += 1;
            if !self.meant(&line.span, steps_follow) {
                words.push(self.slice(&line.span).to_owned());
            }
        }
        words.join("\n")
    }

    /// Whether the words that were just read were meant as something else. That is then told, and
    /// they are read again as what they were meant for.
    fn meant(&mut self, span: &Range<usize>, is_certain: bool) -> bool {
        let words = &self.text[span.clone()];
        if let Some((keyword, rest)) = misspelt::step(words) {
            let first = words.split_whitespace().next().unwrap_or_default().to_lowercase();
            let is_prose = PROSE.contains(&first.as_str());
            if (is_certain && !is_prose) || (self.resembles)(rest) {
                let end = span.start + words.len() - rest.len();
                self.misspelt(span.start..end.max(span.start + 1), keyword.written());
                self.again(Kind::Step(keyword), end..span.end);
                return true;
            }
        }
        if let Some((written, block)) = misspelt::block(words) {
            self.misspelt(span.clone(), &format!("{written}:"));
            let name = span.start + words.find(':').map_or(written.len(), |colon| colon + 1);
            let blanks =
                self.text[name..span.end].len() - self.text[name..span.end].trim_start().len();
            self.again(Kind::Block(block), name + blanks..span.end);
            return true;
        }
        if is_certain && (self.resembles)(words) {
            let help = "begin it with `Given`, `When`, `Then` or `And`";
            self.tell("no_keyword", span.clone(), "this is a step without its keyword", help);
            return true;
        }
        false
    }

    /// The line that was just read is read again, as `kind`.
    fn again(&mut self, kind: Kind, rest: Range<usize>) {
        self.at = self.at.saturating_sub(1);
        if let Some(line) = self.lines.get_mut(self.at) {
            (line.kind, line.rest) = (kind, rest);
        }
    }

    fn misspelt(&mut self, span: Range<usize>, keyword: &str) {
        let written = self.slice(&span).trim_end().to_owned();
        let message = format!("`{written}` is no keyword, so the line would be a mere description");
        self.tell("misspelt_keyword", span, message, format!("write `{keyword} …`"));
    }

    fn steps(&mut self) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        while let Some(line) = self.peek() {
            match line.kind {
                Kind::Step(keyword) => {
                    let step = self.step(&line, keyword, steps.last().map(|step| step.phase));
                    steps.push(step);
                }
                Kind::Words => {
                    self.at += 1;
                    if !self.meant(&line.span, true) {
                        let message = "these words stand between steps and say nothing";
                        let help = "begin them with a keyword, or make them a comment with `#`";
                        self.tell("stray_words", line.span, message, help);
                    }
                }
                Kind::Row | Kind::Quotes => self.stray(&line, &[]),
                _ => break,
            }
        }
        steps
    }

    fn step(&mut self, line: &Line, keyword: Keyword, before: Option<Phase>) -> Step {
        self.at += 1;
        let phase = match (keyword, before) {
            (Keyword::Given, _) => Phase::Given,
            (Keyword::When, _) => Phase::When,
            (Keyword::Then, _) => Phase::Then,
            (_, Some(before)) => before,
            (_, None) => {
                let message = format!(
                    "`{}` is the same as the step before, and there is none",
                    keyword.written()
                );
                self.tell(
                    "leading_and",
                    line.span.clone(),
                    message,
                    "write `Given`, `When` or `Then`",
                );
                Phase::Given
            }
        };
        let text = Text { value: self.slice(&line.rest).to_owned(), span: line.rest.clone() };
        if text.value.is_empty() {
            let help = "say what there is, what happens or what must hold";
            self.tell("empty_step", line.span.clone(), "this step has no words", help);
        }
        let argument = match self.peek().map(|next| next.kind) {
            Some(Kind::Row) => Some(Argument::Table(self.table())),
            Some(Kind::Quotes) => Some(Argument::Quoted(self.quoted())),
            _ => None,
        };
        Step { keyword, phase, text, span: line.span.clone(), argument }
    }

    fn table(&mut self) -> Table {
        let mut table = Table::default();
        while let Some(line) = self.peek() {
            if line.kind != Kind::Row {
                break;
            }
            self.at += 1;
            let Some(row) = table::row(self.text, line.span.clone()) else {
                self.tell(
                    "open_row",
                    line.span,
                    "this row does not end with `|`",
                    "close its last cell",
                );
                continue;
            };
            let width = table.rows.first().map(|first| first.cells.len());
            if width.is_some_and(|width| width != row.cells.len()) {
                let message = format!(
                    "this row has {} cells, the first one of its table has {}",
                    row.cells.len(),
                    width.unwrap_or_default()
                );
                let help =
                    "give every row as many cells; an empty one is `|  |`, a bar in one `\\|`";
                self.tell("ragged_table", line.span, message, help);
                continue;
            }
            table.rows.push(row);
        }
        table
    }

    /// A text in quotes without the indent of its first mark.
    fn quoted(&mut self) -> Text {
        let open = self.lines[self.at].span.clone();
        let indent = open.start - self.text[..open.start].rfind('\n').map_or(0, |at| at + 1);
        self.at += 1;
        let from = self.at;
        while self.lines.get(self.at).is_some_and(|line| line.kind == Kind::Quoted) {
            self.at += 1;
        }
        let body = &self.lines[from..self.at];
        let value: Vec<&str> = body
            .iter()
            .map(|line| {
                let start = self.text[..line.span.start].rfind('\n').map_or(0, |at| at + 1);
                let raw = &self.text[start..line.span.end];
                let blanks = raw.len() - raw.trim_start_matches([' ', '\t']).len();
                &raw[indent.min(blanks)..]
            })
            .collect();
        let value = value.join("\n");
        let end = self.lines.get(self.at).map(|line| line.span.end);
        if end.is_none() {
            let help = "close it with the same mark on a line of its own";
            self.tell("open_quotes", open.clone(), "this text in quotes never ends", help);
        }
        self.at += 1;
        Text { value, span: open.start..end.unwrap_or(self.text.len()) }
    }

    /// Tags until something else comes.
    fn tags(&mut self) -> Vec<Text> {
        let mut tags = Vec::new();
        while let Some(line) = self.peek() {
            if line.kind != Kind::Tags {
                break;
            }
            self.at += 1;
            let words = self.text[line.span.clone()].to_owned();
            let mut end = 0;
            for word in words.split_whitespace() {
                if word.starts_with('#') {
                    break;
                }
                let start = end + words[end..].find(word).unwrap_or(0);
                end = start + word.len();
                let span = line.span.start + start..line.span.start + end;
                if word.len() > 1 && word.starts_with('@') {
                    tags.push(Text { value: word.to_owned(), span });
                } else {
                    let message = format!("`{word}` is no tag");
                    self.tell("no_tag", span, message, "a tag is a word that begins with `@`");
                }
            }
        }
        tags
    }

    fn dangling(&mut self, tags: &[Text]) {
        if let (Some(first), Some(last)) = (tags.first(), tags.last()) {
            let span = first.span.start..last.span.end;
            let help = "put them above a feature, a rule, a scenario or examples";
            self.tell("stray_tag", span, "these tags belong to nothing", help);
        }
    }

    /// A line where none of its kind can be.
    fn stray(&mut self, line: &Line, tags: &[Text]) {
        self.dangling(tags);
        self.at += 1;
        let (rule, message, help) = match line.kind {
            Kind::Words if self.meant(&line.span, true) => return,
            Kind::Words => {
                ("stray_words", "these words belong to nothing", "make them a comment with `#`")
            }
            Kind::Step(_) => {
                ("stray_step", "this step is outside of a scenario", "put `Scenario: …` above it")
            }
            Kind::Row => (
                "stray_table",
                "this row belongs to no step",
                "put it below the step that takes it",
            ),
            Kind::Quotes => {
                self.at -= 1;
                self.quoted();
                (
                    "stray_quotes",
                    "this text belongs to no step",
                    "put it below the step that takes it",
                )
            }
            Kind::Block(Block::Feature) => {
                ("second_feature", "a file has one feature", "put this one into a file of its own")
            }
            Kind::Block(Block::Background) => (
                "late_background",
                "a background stands above all scenarios, once",
                "move its steps there",
            ),
            Kind::Block(Block::Examples) => (
                "stray_examples",
                "these examples belong to no outline",
                "put them below a `Scenario Outline: …`",
            ),
            _ => ("stray_words", "this line belongs to nothing", "remove it"),
        };
        self.tell(rule, line.span.clone(), message, help);
    }
}
