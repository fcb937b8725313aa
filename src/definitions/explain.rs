//! Why a point makes the entities it makes, and why rules that nearly match do not.

use super::load::Definitions;
use super::matching::{Match, Point};
use super::model::{Condition, EntityDefinition, Rule};

/// How much is explained.
#[derive(Debug, Clone, Default)]
pub struct ExplainOptions {
    /// Only these types (`KAFKATOPIC` or `INFRA-KAFKATOPIC`); all when empty. A named type's rules
    /// are all explained, however far they are from matching.
    pub types: Vec<String>,
    /// Near-misses at most; 0 is 5.
    pub near_max: usize,
}

/// What a point does.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation<'a> {
    /// The point carries this GUID of its own, so it makes nothing.
    pub stamped: Option<String>,
    /// Rules that match, in order of loading.
    pub matches: Vec<Match<'a>>,
    /// Rules that do not, nearest first.
    pub near: Vec<NearMiss<'a>>,
    /// Near-misses beyond the limit.
    pub near_more: usize,
}

/// A rule that does not match.
#[derive(Debug, Clone, PartialEq)]
pub struct NearMiss<'a> {
    /// Its type.
    pub definition: &'a EntityDefinition,
    /// The rule.
    pub rule: &'a Rule,
    /// Every condition, then what identifier and name need.
    pub steps: Vec<Step<'a>>,
}

/// One thing that a rule needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Step<'a> {
    /// What.
    pub need: Need<'a>,
    /// Whether the point has it.
    pub holds: bool,
    /// The attribute's value in the point.
    pub actual: Option<String>,
    /// What to try.
    pub hint: Option<String>,
}

/// What a rule needs.
#[derive(Debug, Clone, PartialEq)]
pub enum Need<'a> {
    /// A condition.
    Condition(&'a Condition),
    /// An attribute of the identifier.
    Identifier(&'a str),
    /// An attribute of the name.
    Name(&'a str),
    /// An identifier that a GUID takes.
    Guid(String),
}

/// Explains what `point` does.
pub fn explain<'a>(
    definitions: &'a Definitions,
    point: Point<'a>,
    _options: &ExplainOptions,
) -> Explanation<'a> {
    let matches = definitions.match_point(point);
    Explanation { stamped: None, matches, near: Vec::new(), near_more: 0 }
}
