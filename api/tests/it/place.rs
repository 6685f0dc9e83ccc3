//! Where a value stands in a request.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, ReflectMessage as _, Value};

use crate::contract;

/// The way from a request to one of its fields, or to one item of a list.
#[derive(Debug, Clone)]
pub(crate) struct Place(Vec<Step>);

#[derive(Debug, Clone)]
struct Step {
    field: FieldDescriptor,
    index: Option<usize>,
}

impl Place {
    /// The field that the way ends at.
    pub(crate) fn field(&self) -> &FieldDescriptor {
        &self.0.last().unwrap().field
    }

    /// Whether the way ends at an item of a list rather than at the list.
    pub(crate) fn is_item(&self) -> bool {
        self.0.last().unwrap().index.is_some()
    }

    /// Whether the way ends at a whole list.
    pub(crate) fn is_list(&self) -> bool {
        self.field().is_list() && !self.is_item()
    }

    /// The path as the service names it, such as `peer_envelopes[0].device_id`.
    pub(crate) fn path(&self) -> String {
        let names = self.0.iter().map(|step| match step.index {
            None => step.field.name().to_owned(),
            Some(index) => format!("{}[{index}]", step.field.name()),
        });
        names.collect::<Vec<_>>().join(".")
    }

    /// The name of the request that the way begins in.
    pub(crate) fn request_name(&self) -> String {
        self.0[0].field.parent_message().name().to_owned()
    }

    /// The path of something beside the field, such as the oneof that it is a member of.
    pub(crate) fn sibling_path(&self, name: &str) -> String {
        let own = self.path();
        match own.rsplit_once('.') {
            Some((parent, _)) => format!("{parent}.{name}"),
            None => name.to_owned(),
        }
    }

    /// An item of the list that the way ends at.
    pub(crate) fn item(&self, index: usize) -> Self {
        let mut steps = self.0.clone();
        steps.last_mut().unwrap().index = Some(index);
        Self(steps)
    }

    fn child(&self, field: FieldDescriptor) -> Self {
        let mut steps = self.0.clone();
        steps.push(Step { field, index: None });
        Self(steps)
    }

    /// The value there.
    pub(crate) fn get(&self, root: &DynamicMessage) -> Value {
        let mut message = root.clone();
        for (position, step) in self.0.iter().enumerate() {
            let value = message.get_field(&step.field).into_owned();
            let value = match step.index {
                None => value,
                Some(index) => value.as_list().unwrap()[index].clone(),
            };
            if position + 1 == self.0.len() {
                return value;
            }
            message = value.as_message().unwrap().clone();
        }
        unreachable!("a place has a step")
    }

    /// The request with another value there.
    pub(crate) fn with(&self, root: &DynamicMessage, value: Value) -> DynamicMessage {
        let mut changed = root.clone();
        put(&mut changed, &self.0, Some(value));
        changed
    }

    /// The request with the field unset.
    pub(crate) fn without(&self, root: &DynamicMessage) -> DynamicMessage {
        let mut changed = root.clone();
        put(&mut changed, &self.0, None);
        changed
    }
}

fn put(message: &mut DynamicMessage, steps: &[Step], value: Option<Value>) {
    let (step, rest) = steps.split_first().unwrap();
    let Some(index) = step.index else {
        return match (rest.is_empty(), value) {
            (true, Some(value)) => message.set_field(&step.field, value),
            (true, None) => message.clear_field(&step.field),
            (false, value) => {
                put(message.get_field_mut(&step.field).as_message_mut().unwrap(), rest, value);
            }
        };
    };
    let item = &mut message.get_field_mut(&step.field).as_list_mut().unwrap()[index];
    if rest.is_empty() {
        *item = value.unwrap();
    } else {
        put(item.as_message_mut().unwrap(), rest, value);
    }
}

/// Every place of a request: fields, first items of lists, and what lies inside of messages. A
/// member of a oneof is one only where it is set.
pub(crate) fn all(request: &DynamicMessage) -> Vec<Place> {
    let mut found = Vec::new();
    collect(request, None, &mut found);
    found
}

fn collect(message: &DynamicMessage, parent: Option<&Place>, found: &mut Vec<Place>) {
    for field in message.descriptor().fields() {
        if field.containing_oneof().is_some() && !message.has_field(&field) {
            continue;
        }
        let step = Step { field: field.clone(), index: None };
        let mut place = match parent {
            None => Place(vec![step]),
            Some(parent) => parent.child(field.clone()),
        };
        found.push(place.clone());
        let value = message.get_field(&field).into_owned();
        let mut inside = Some(value.clone());
        if field.is_list() {
            inside = value.as_list().unwrap().first().cloned();
            if inside.is_some() {
                place = place.item(0);
                found.push(place.clone());
            }
        }
        let is_ours = matches!(field.kind(), Kind::Message(inner) if contract::is_ours(&inner));
        if let (true, Some(Value::Message(inner))) = (is_ours, inside)
            && (field.is_list() || message.has_field(&field))
        {
            collect(&inner, Some(&place), found);
        }
    }
}
