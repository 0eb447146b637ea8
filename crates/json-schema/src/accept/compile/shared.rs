//! What is made once, however often a schema refers to it: a short text may refer to something large thousands of times.

use std::sync::Arc;

use serde_json::Value;

use super::super::objects::ObjectRule;
use super::super::part::{Node, Part};
use super::super::pattern::Pattern;
use super::super::run::ANY_OBJECT;
use super::{Compiler, Place};

/// Places of the memory of keys up to which each reference to an object has its own: at two places of a record the same object
/// may have its members in two orders. References beyond share the first one's.
const OWN_MEMORY_SLOTS_MAX: usize = 64 << 10;

impl<'d> Compiler<'d> {
    /// The rules of what a reference leads to.
    pub(super) fn referred(&mut self, place: Place<'d>, reference: &'d Value, steps: usize) -> Node {
        let target = reference.as_str().and_then(|reference| self.documents.refer(place.document, reference));
        let Some((schema, document)) = target else { return Node::unknown() };
        let key = std::ptr::from_ref(schema) as usize;
        if let Some(node) = self.targets.get(&key) {
            let mut node = node.clone();
            node.object = self.with_own_memory(node.object);
            return node;
        }
        let cuts = self.cuts;
        let node = self.shape(Place { schema, document }, steps + 1);
        // What was cut short, since so many schemas had led to it, may be whole elsewhere.
        if self.cuts == cuts {
            self.targets.insert(key, node.clone());
        }
        node
    }

    fn with_own_memory(&mut self, part: Part<u32>) -> Part<u32> {
        match part {
            Part::One(rule) => Part::One(self.copy_of(rule)),
            Part::All(parts) => Part::All(parts.into_iter().map(|part| self.with_own_memory(part)).collect()),
            Part::Either(parts) => {
                Part::Either(parts.into_iter().map(|part| self.with_own_memory(part)).collect())
            }
            part @ (Part::Never | Part::Unknown | Part::Any) => part,
        }
    }

    /// The same rule with a memory of its own, where there is room for one.
    fn copy_of(&mut self, rule: u32) -> u32 {
        let (Some(own), Ok(copy)) = (self.objects.get(rule as usize), u32::try_from(self.objects.len()))
        else {
            return rule;
        };
        let memory_slots = self.memory_slots + own.memory_slots();
        if rule == ANY_OBJECT || memory_slots > OWN_MEMORY_SLOTS_MAX {
            return rule;
        }
        let own = ObjectRule { memory: self.memory_slots, ..own.clone() };
        self.objects.push(own);
        self.memory_slots = memory_slots;
        self.bytes += size_of::<ObjectRule>();
        copy
    }

    /// A pattern as tables, where it is one that can be.
    pub(super) fn pattern(&mut self, text: &'d str) -> Option<Arc<Pattern>> {
        if let Some(known) = self.patterns.get(text) {
            return known.clone();
        }
        // There is no acceptor then, and the next tables might be large.
        if self.is_full() {
            return None;
        }
        let pattern = Pattern::compile(text).map(Arc::new);
        self.bytes += pattern.as_ref().map_or(0, |pattern| pattern.bytes());
        self.patterns.insert(text, pattern.clone());
        pattern
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Acceptor;
    use super::super::super::run::Memory;
    use crate::Options;
    use crate::library::Documents;

    fn acceptor(text: &str, options: &Options) -> Option<Acceptor> {
        let none: [(&str, &str); 0] = [];
        Acceptor::compile(&Documents::read(text, none, options).unwrap(), options)
    }

    /// An object of many members, to which as many properties refer.
    fn referring(members: usize, references: usize) -> String {
        let list = |count: usize, name: &str, schema: &str| {
            let all: Vec<String> = (0..count).map(|at| format!(r#""{name}{at}":{schema}"#)).collect();
            all.join(",")
        };
        let member = r#"{"type":"string","pattern":"^[a-z0-9]{1,20}$"}"#;
        let reference = r##"{"$ref":"#/definitions/o"}"##;
        format!(
            r#"{{"definitions":{{"o":{{"properties":{{{}}}}}}},"properties":{{{}}}}}"#,
            list(members, "m", member),
            list(references, "r", reference)
        )
    }

    #[test]
    fn what_is_referred_to_is_made_once() {
        let options = Options::default();
        let (one, many) =
            (acceptor(&referring(300, 1), &options), acceptor(&referring(300, 3_000), &options));
        let (one, many) = (one.unwrap(), many.unwrap());
        assert!(many.bytes() < one.bytes() + (2 << 20), "{} and {}", many.bytes(), one.bytes());
        let memory = Memory::new(&many);
        assert!(memory.bytes() < 512 << 10, "{}", memory.bytes());
        let record = br#"{"r0":{"m1":"a","m0":"b"},"r2999":{"m0":"c","m299":"d"}}"#;
        let mut memory = memory;
        assert!(many.accepts(record, &mut memory) && many.accepts(record, &mut memory));
        assert!(!many.accepts(br#"{"r2999":{"m299":"D"}}"#, &mut memory));
    }

    #[test]
    fn a_few_references_have_each_their_own_memory() {
        let few = acceptor(&referring(300, 5), &Options::default()).unwrap();
        assert!(Memory::new(&few).bytes() >= 5 * 301 * 4);
    }

    #[test]
    fn rules_that_take_too_much_are_none() {
        let mut options = Options::default();
        let text = referring(300, 300);
        let bytes = acceptor(&text, &options).unwrap().bytes();
        options.limits.acceptor_bytes = bytes;
        assert!(acceptor(&text, &options).is_some());
        options.limits.acceptor_bytes = bytes / 2;
        assert!(acceptor(&text, &options).is_none());
        // Whatever it is that takes it.
        options.limits.acceptor_bytes = 256 << 10;
        let patterns: Vec<String> =
            (0..200).map(|at| format!(r#""p{at}":{{"pattern":"^[a-f]{{1,{}}}x"}}"#, at + 50)).collect();
        assert!(acceptor(&format!(r#"{{"properties":{{{}}}}}"#, patterns.join(",")), &options).is_none());
        let texts: Vec<String> = (0..20_000).map(|at| format!("\"{at}\"")).collect();
        assert!(acceptor(&format!(r#"{{"enum":[{}]}}"#, texts.join(",")), &options).is_none());
    }
}
