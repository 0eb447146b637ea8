//! Keywords of objects.

use serde_json::{Map, Value};

use super::super::NodeId;
use super::super::objects::{Key, ObjectRule, Property};
use super::super::part::{ANY, Part};
use super::super::places::Places;
use super::{Compiler, NEVER, Place, keywords};

/// Members that may be required of one object.
const REQUIRED_MAX: usize = 128;

impl<'d> Compiler<'d> {
    /// The rules of objects.
    pub(super) fn members(&mut self, place: Place<'d>, object: &'d Map<String, Value>) -> Part<u32> {
        if keywords::holds_unknown(object, &keywords::UNKNOWN_OF_OBJECTS) {
            return Part::Unknown;
        }
        let additional = match object.get("additionalProperties") {
            None => ANY,
            Some(schema) => self.node(place.inside(schema)),
        };
        let Some(mut properties) = self.properties(place, object) else { return Part::Unknown };
        let named = properties.len();
        let Some(required) = require(&mut properties, object, additional) else { return Part::Unknown };
        self.bytes += properties.iter().skip(named).map(Property::bytes).sum::<usize>();
        let (Some(count_min), Some(count_max)) = (
            keywords::count(object, "minProperties", 0),
            keywords::count(object, "maxProperties", usize::MAX),
        ) else {
            return Part::Unknown;
        };
        // A name may come twice, so that more cannot be told from a count.
        if count_min > 1 && count_min > required.count_ones() as usize {
            return Part::Unknown;
        }
        let is_free = properties.iter().all(|property| property.node == ANY && property.bit == 0)
            && additional == ANY
            && count_min == 0
            && count_max == usize::MAX;
        if is_free {
            return Part::Any;
        }
        let rule = ObjectRule {
            places: Places::new(properties.iter().map(|property| &*property.name)),
            properties: properties.into(),
            additional: (additional != NEVER).then_some(additional),
            required,
            count_max,
            needs_one: count_min > 0,
            memory: self.memory_slots,
        };
        self.memory_slots += rule.memory_slots();
        self.bytes += size_of::<ObjectRule>();
        self.objects.push(rule);
        Part::one(u32::try_from(self.objects.len() - 1).ok())
    }

    fn properties(&mut self, place: Place<'d>, object: &'d Map<String, Value>) -> Option<Vec<Property>> {
        let properties = match object.get("properties") {
            None => return Some(Vec::new()),
            Some(properties) => properties.as_object()?,
        };
        let mut named = Vec::with_capacity(properties.len());
        for (name, schema) in properties {
            // One object may have more of them than there is room for.
            if self.is_full() {
                return None;
            }
            let node = self.node(place.inside(schema));
            let name = name.as_bytes();
            let property = Property { name: name.into(), node, bit: 0, key: Key::new(name) };
            self.bytes += property.bytes();
            named.push(property);
        }
        Some(named)
    }
}

/// Gives each required member a bit, and those that are no property a place among them.
fn require(properties: &mut Vec<Property>, object: &Map<String, Value>, additional: NodeId) -> Option<u128> {
    let names = match object.get("required") {
        None => return Some(0),
        Some(names) => names.as_array()?,
    };
    let mut required = 0_u128;
    for name in names {
        let name = name.as_str()?.as_bytes();
        let at = match properties.iter().position(|property| *property.name == *name) {
            Some(at) => at,
            None => {
                properties.push(Property {
                    name: name.into(),
                    node: additional,
                    bit: 0,
                    key: Key::new(name),
                });
                properties.len() - 1
            }
        };
        let property = properties.get_mut(at)?;
        if property.bit == 0 {
            let number = required.count_ones();
            if number as usize >= REQUIRED_MAX {
                return None;
            }
            property.bit = 1 << number;
            required |= property.bit;
        }
    }
    Some(required)
}
