//! JSON whose reading is counted. `jsonschema` has no bound of its own: a schema that refers to itself in several
//! alternatives can take time, and memory for its errors, that doubles with each level of a body. Here each step into a
//! value is one of a number that is given for a whole validation; when they are used up, or the stack is, no object and
//! no array has anything in it any more, so that the validation comes to its end. What it has said then means nothing.

use std::{borrow::Cow, cell::Cell};

use jsonschema::{
    JsonType,
    json::{Array, Json, Node, NodeIdentity, Object, SerdeJson, unique},
};
use serde_json::{Map, Number, Value};

thread_local! {
    /// Steps left of this thread's validation.
    static LEFT: Cell<u64> = const { Cell::new(0) };
    /// Where on the stack it began.
    static BEGAN: Cell<usize> = const { Cell::new(0) };
}

/// As much of the stack may be used: half of what a thread has.
const STACK: usize = 1 << 20;

/// Steps that an error costs: it has memory of its own, and those of all alternatives are gathered.
const ERROR: u64 = 1_000;

/// So many bytes of a text that is looked at are a step.
const STEP: u64 = 64;

/// Does something that reads metered values; None when it took more steps, or too much of the stack.
pub(super) fn within<T>(steps: u64, validate: impl FnOnce() -> T) -> Option<T> {
    LEFT.set(steps);
    BEGAN.set(here());
    let result = validate();
    (LEFT.replace(0) > 0).then_some(result)
}

/// Takes steps; false when there are none left.
fn step(steps: u64) -> bool {
    let deep = BEGAN.get().abs_diff(here()) > STACK;
    let left = if deep { 0 } else { LEFT.get().saturating_sub(steps) };
    LEFT.set(left);
    left > 0
}

/// A place in the caller's part of the stack, nearly.
fn here() -> usize {
    let here = 0_u8;
    std::ptr::from_ref(&here).addr()
}

/// How `jsonschema` reads [`Metered`] values.
pub(super) struct MeteredJson;

/// A value.
#[derive(Clone, Copy)]
pub(super) struct Metered<'a>(pub(super) &'a Value);

/// An object.
pub(super) struct Members<'a>(&'a Map<String, Value>);

/// An array.
pub(super) struct Elements<'a>(&'a [Value]);

/// What is in an object or an array, for as long as there are steps.
pub(super) struct Each<I>(I);

type Inner<'a> = <SerdeJson as Json>::Node<'a>;

impl Json for MeteredJson {
    type Node<'a> = Metered<'a>;
    type PreparedKey = String;
    type StringBuffer = ();

    const KEYS_PER_LOOKUP: usize = SerdeJson::KEYS_PER_LOOKUP;
    const ACYCLIC: bool = true;

    fn prepare_key(key: &str) -> String {
        key.to_owned()
    }

    fn with_string_node<T>(buffer: &mut (), string: &str, f: impl FnOnce(Metered<'_>) -> T) -> T {
        SerdeJson::with_string_node(buffer, string, |name| f(Metered(name)))
    }
}

impl<'a> Metered<'a> {
    fn inner(&self) -> &Inner<'a> {
        &self.0
    }
}

impl<'a> Node<'a, MeteredJson> for Metered<'a> {
    type Object = Members<'a>;
    type Array = Elements<'a>;
    type Number = &'a Number;

    fn as_object(&self) -> Option<Members<'a>> {
        Node::<SerdeJson>::as_object(self.inner()).map(Members)
    }

    fn as_array(&self) -> Option<Elements<'a>> {
        Node::<SerdeJson>::as_array(self.inner()).map(Elements)
    }

    fn as_string(&self) -> Option<Cow<'a, str>> {
        let text = Node::<SerdeJson>::as_string(self.inner())?;
        step(text.len() as u64 / STEP);
        Some(text)
    }

    fn as_number(&self) -> Option<&'a Number> {
        Node::<SerdeJson>::as_number(self.inner())
    }

    fn as_boolean(&self) -> Option<bool> {
        Node::<SerdeJson>::as_boolean(self.inner())
    }

    fn is_null(&self) -> bool {
        Node::<SerdeJson>::is_null(self.inner())
    }

    fn json_type(&self) -> JsonType {
        Node::<SerdeJson>::json_type(self.inner())
    }

    fn string_length(&self) -> Option<u64> {
        Node::<SerdeJson>::string_length(self.inner())
    }

    fn string_length_within(&self, min: u64, max: u64) -> Option<bool> {
        Node::<SerdeJson>::string_length_within(self.inner(), min, max)
    }

    fn equals_value(&self, expected: &Value) -> bool {
        Node::<SerdeJson>::equals_value(self.inner(), expected)
    }

    /// For errors only, and in what we tell of them are no values: those of alternatives would each have a copy.
    fn to_value(&self) -> Cow<'a, Value> {
        step(ERROR);
        Cow::Owned(Value::Null)
    }

    fn identity(&self) -> Option<NodeIdentity> {
        Node::<SerdeJson>::identity(self.inner())
    }
}

impl<'a> Object<'a, MeteredJson> for Members<'a> {
    type Node = Metered<'a>;
    type MemberName = &'a str;
    type MembersIter = Each<serde_json::map::Iter<'a>>;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn get(&self, key: &String) -> Option<Metered<'a>> {
        step(1).then(|| self.0.get(key)).flatten().map(Metered)
    }

    fn members(&self) -> Self::MembersIter {
        Each(self.0.iter())
    }
}

impl<'a> Array<'a, MeteredJson> for Elements<'a> {
    type Node = Metered<'a>;
    type ElementsIter = Each<std::slice::Iter<'a, Value>>;

    fn len(&self) -> usize {
        self.0.len()
    }

    fn elements(&self) -> Self::ElementsIter {
        Each(self.0.iter())
    }

    fn is_unique(&self) -> bool {
        step(self.0.len() as u64);
        unique::is_unique(self.0)
    }
}

impl<'a> Iterator for Each<serde_json::map::Iter<'a>> {
    type Item = (&'a str, Metered<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (name, value) = self.0.next().filter(|_| step(1))?;
        Some((name, Metered(value)))
    }
}

impl<'a> Iterator for Each<std::slice::Iter<'a, Value>> {
    type Item = Metered<'a>;

    fn next(&mut self) -> Option<Metered<'a>> {
        self.0.next().filter(|_| step(1)).map(Metered)
    }
}
