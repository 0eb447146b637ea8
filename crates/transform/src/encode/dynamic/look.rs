//! A look at a JSON value: what kind it is. The text was read before, by the rules of the semantics.

use std::rc::Rc;

use super::kind::{Budget, Kind, Node, Object, Run, Tree, are_same, push_run, size};
use super::unify::unify;
use crate::encode::cursor::Cursor;
use crate::encode::fault::Fault;
use crate::encode::temporal::{Guess, guess};
use crate::encode::{State, number, string};
use crate::reject::RejectCode;

/// Levels of arrays and objects in one value of a Dynamic, at most. It bounds recursion, and how often the text of an
/// inner value is looked at. ClickHouse itself cannot read types back that have more than 149 levels.
const LEVELS_MAX: usize = 64;

/// Why there is no kind.
pub(super) enum Miss {
    /// The value is not JSON. ClickHouse has the types that stood in the column before read it, and takes it for a text
    /// where none does.
    Unclear,
    Fault(Fault),
}

impl From<Fault> for Miss {
    fn from(fault: Fault) -> Self {
        Miss::Fault(fault)
    }
}

/// What is needed for a look.
pub(super) struct Look<'l, 't> {
    pub(super) c: Cursor<'t>,
    pub(super) s: &'l mut State,
    /// The zone in which texts are read.
    pub(super) zone: usize,
    /// Levels that are open.
    pub(super) level: usize,
    pub(super) budget: Budget,
}

impl Look<'_, '_> {
    /// The kind of the value, which goes up to the end of the text.
    pub(super) fn whole(&mut self) -> Result<Kind, Miss> {
        let kind = self.value()?;
        self.c.blank(self.s.lenient);
        if self.c.is_at_end() { Ok(kind) } else { Err(Miss::Unclear) }
    }

    fn value(&mut self) -> Result<Kind, Miss> {
        let left = self.budget.left();
        let kind = match self.c.peek() {
            b'[' => self.array()?,
            b'{' => Kind::Object(Rc::new(Object { tree: self.object()?, is_unclear: false })),
            b'"' => self.text()?,
            _ => self.word_or_number()?,
        };
        // What the parts were looked at as is gone, as far as it is not in the kind.
        self.budget.give_back(left.saturating_sub(self.budget.left()));
        self.budget.take(size(&kind))?;
        Ok(kind)
    }

    fn enter(&mut self) -> Result<(), Miss> {
        self.level += 1;
        self.c.at += 1;
        if self.level > LEVELS_MAX {
            let message = format!("arrays and objects of a Dynamic are nested deeper than {LEVELS_MAX}");
            return Err(Fault::new(RejectCode::TooDeep, self.c.at, message).into());
        }
        self.blank();
        Ok(())
    }

    fn blank(&mut self) {
        self.c.blank(self.s.lenient);
    }

    /// Whether another element or key follows; takes the comma, or the closing bracket.
    fn goes_on(&mut self, is_first: bool, closing: u8) -> Result<bool, Miss> {
        self.blank();
        if self.c.is_at_end() {
            return Err(Miss::Unclear);
        }
        if self.c.eat(closing) {
            return Ok(false);
        }
        if !is_first && !self.c.eat(b',') {
            return Err(Miss::Unclear);
        }
        self.blank();
        Ok(true)
    }

    fn array(&mut self) -> Result<Kind, Miss> {
        self.enter()?;
        let mut runs: Vec<Run> = Vec::new();
        let mut is_first = true;
        while self.goes_on(is_first, b']')? {
            is_first = false;
            let kind = self.value()?;
            let kinds = size(&kind);
            if !push_run(&mut runs, kind, 1) {
                self.budget.give_back(kinds);
            }
        }
        self.level -= 1;
        if runs.len() <= 1 {
            let kind = runs.pop().map_or(Kind::Nothing, |run| run.kind);
            return Ok(Kind::Array(Box::new(kind)));
        }
        if runs.iter().all(|run| run.kind.is(&runs[0].kind)) {
            // Numbers with and without a sign: ClickHouse goes on with the last one.
            let kind = runs.pop().map_or(Kind::Nothing, |run| run.kind);
            return Ok(Kind::Array(Box::new(kind)));
        }
        if runs.iter().all(|run| run.kind.is_complete()) {
            let mut kinds = self.budget.copy(runs.iter().map(|run| &run.kind))?;
            unify(&mut kinds, &mut self.budget)?;
            if are_same(&kinds) {
                return Ok(Kind::Array(Box::new(kinds.pop().unwrap_or(Kind::Nothing))));
            }
        }
        Ok(Kind::Mixed(runs.into()))
    }

    fn object(&mut self) -> Result<Tree, Miss> {
        self.enter()?;
        let mut tree = Tree::new();
        let mut is_first = true;
        while self.goes_on(is_first, b'}')? {
            is_first = false;
            self.budget.take(1)?;
            let key = self.key()?;
            if self.c.peek() == b'{' {
                let below = self.object()?;
                let node = tree.entry(key).or_default();
                if below.is_empty() {
                    node.leaf = Some(Kind::Nothing);
                } else {
                    overlay(&mut node.below, below);
                }
            } else {
                let kind = self.value()?;
                tree.entry(key).or_default().leaf = Some(kind);
            }
        }
        self.level -= 1;
        Ok(tree)
    }

    fn key(&mut self) -> Result<Box<[u8]>, Miss> {
        if self.c.peek() != b'"' {
            return Err(Miss::Unclear);
        }
        let key = self.decoded()?.into();
        self.blank();
        if !self.c.eat(b':') {
            return Err(Miss::Unclear);
        }
        self.blank();
        Ok(key)
    }

    /// The text at the cursor, escapes decoded.
    fn decoded(&mut self) -> Result<&[u8], Miss> {
        let raw = string::scan(&mut self.c)?;
        if !raw.escaped {
            return Ok(raw.bytes);
        }
        Ok(string::decode(&raw, self.s.lenient, &mut self.s.text)?)
    }

    fn text(&mut self) -> Result<Kind, Miss> {
        let raw = string::scan(&mut self.c)?;
        let text =
            if raw.escaped { string::decode(&raw, self.s.lenient, &mut self.s.text)? } else { raw.bytes };
        Ok(match guess(text, &mut self.s.zones[self.zone]) {
            Some(Guess::Date) => Kind::Date,
            Some(Guess::DateTime) => Kind::DateTime,
            Some(Guess::DateTime64) => Kind::DateTime64,
            None => Kind::String,
        })
    }

    fn word_or_number(&mut self) -> Result<Kind, Miss> {
        if self.c.peek().is_ascii_alphabetic() {
            return self.word().ok_or(Miss::Unclear);
        }
        let start = self.c.at;
        if number::check_any(&mut self.c, self.s.lenient).is_err() {
            return Err(Miss::Unclear);
        }
        let text = &self.c.bytes[start..self.c.at];
        if !text.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b'+')) {
            return Ok(Kind::Float);
        }
        let text = std::str::from_utf8(text).map_err(|_| Miss::Unclear)?;
        if let Ok(number) = text.parse::<i64>() {
            return Ok(Kind::Int { is_negative: number < 0 });
        }
        Ok(if text.parse::<u64>().is_ok() { Kind::UInt } else { Kind::String })
    }

    fn word(&mut self) -> Option<Kind> {
        if self.eats("true") || self.eats("false") {
            return Some(Kind::Bool);
        }
        if self.eats("null") {
            return Some(Kind::null());
        }
        self.eats("nan").then_some(Kind::Float)
    }

    /// Takes the word, in any case where ClickHouse's leniencies apply.
    fn eats(&mut self, word: &str) -> bool {
        let rest = self.c.rest();
        let found = match rest.get(..word.len()) {
            Some(head) if self.s.lenient => head.eq_ignore_ascii_case(word.as_bytes()),
            Some(head) => head == word.as_bytes(),
            None => false,
        };
        self.c.at += if found { word.len() } else { 0 };
        found
    }
}

/// Puts the leaves of a tree into another one, over those that are there.
fn overlay(tree: &mut Tree, other: Tree) {
    for (key, Node { leaf, below }) in other {
        let node = tree.entry(key).or_default();
        if leaf.is_some() {
            node.leaf = leaf;
        }
        overlay(&mut node.below, below);
    }
}
