//! How much may be looked at of a record, and how much of that is left.

use std::cell::{Cell, OnceCell};
use std::panic::resume_unwind;

use serde_json::Value;

use super::{Kind, Tree};

/// What checking a record value by value costs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Price {
    /// Looks in all.
    pub(crate) steps: u64,
    /// What a look at a text costs, whatever its length is.
    pub(crate) text_steps: u64,
    /// Whether a pattern may be left undecided: then the library asks for the record as a whole, to find a place in it.
    pub(crate) backtracks: bool,
    /// The longest list of schemas that the items of an array have one by one.
    pub(crate) list_max: usize,
}

/// A tree, and how many looks at it are left. Where none are left everything is `null`, so that whoever walks through it comes
/// to an end soon; the verdict does not count then.
#[derive(Debug)]
pub(crate) struct Counted<'t> {
    pub(super) tree: Tree<'t>,
    pub(super) price: Price,
    left: Cell<u64>,
    /// Whether it is asked what is wrong, and not only whether something is: then pieces of the record are copied into errors.
    tells: bool,
    /// The record without its texts and numbers, once an error has held it.
    shape: OnceCell<Value>,
}

/// Bytes of a text that cost as much as a look.
const TEXT_BYTES: usize = 64;
/// Bytes that cost as much as a look where they are copied.
const COPIED_BYTES: usize = 8;
/// What a name costs that may be copied, whatever its length is, in looks.
const COPIED_NAME_STEPS: u64 = 4;
/// What an error costs, in looks. It takes some hundred bytes, and there may be millions where schemas apply again and again.
const ERROR_STEPS: u64 = 100;
/// What a value or a name costs in the shape of a record, in looks: it takes about a hundred bytes.
const SHAPE_ITEM_STEPS: u64 = 8;

/// What the library is left with where nothing may be looked at any more.
struct Spent;

impl<'t> Counted<'t> {
    /// For whoever asks whether the record is valid.
    pub(crate) fn new(tree: Tree<'t>, price: Price) -> Self {
        Counted { tree, price, left: Cell::new(price.steps), tells: false, shape: OnceCell::new() }
    }

    /// For whoever asks what is wrong with it. He has to catch the unwinding that ends the search where no looks are left.
    pub(crate) fn telling(tree: Tree<'t>, price: Price) -> Self {
        Counted { tells: true, ..Counted::new(tree, price) }
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.left.get() == 0
    }

    /// Whether looks are left behind these.
    pub(super) fn spend(&self, steps: u64) -> bool {
        let left = self.left.get().saturating_sub(steps);
        self.left.set(left);
        left > 0
    }

    /// A look at a text that may be matched with a pattern.
    pub(super) fn spend_on(&self, text: &str) -> bool {
        self.spend(self.price.text_steps + (text.len() / TEXT_BYTES) as u64)
    }

    /// A look at the name of a member, which an error may list.
    pub(super) fn spend_on_name(&self, name: &str) -> bool {
        if self.tells {
            self.spend(COPIED_NAME_STEPS + (name.len() / COPIED_BYTES) as u64);
        }
        self.spend_on(name)
    }

    /// A copy of the value at `at`.
    pub(super) fn spend_on_copy(&self, at: u32) -> bool {
        let inside = u64::from(self.tree.next(at).saturating_sub(at));
        let bytes = self.tree.item(at).map_or(0, |item| self.tree.source(item).len());
        self.spend(inside + (bytes / COPIED_BYTES) as u64)
    }

    /// What everything costs that an error holds, beside these looks. Where none are left the library is left at once: it would
    /// go on for as long as it finds errors, and look in what stands there for places that it does not have.
    pub(super) fn pay_for_error(&self, steps: u64) {
        if !self.spend(ERROR_STEPS + steps) && self.tells && cfg!(panic = "unwind") {
            // It is no panic: nothing is written, and the check of the record catches it.
            resume_unwind(Box::new(Spent));
        }
    }

    /// What a copy of the shape costs.
    pub(super) fn shape_steps(&self) -> u64 {
        let names = self.tree.items.iter().filter(|item| item.kind == Kind::Name);
        let bytes: u64 = names.map(|name| u64::from(name.to.saturating_sub(name.from))).sum();
        self.tree.items.len() as u64 * SHAPE_ITEM_STEPS + bytes / COPIED_BYTES as u64
    }

    /// The shape of the record, which is made once.
    pub(super) fn shape(&self) -> &Value {
        self.shape.get_or_init(|| self.tree.shape(0))
    }
}
