//! How the records and variants of the contract lie in a guest's memory: their fields and cases, in the order of `wit/`.

use wasmtime::Result;

use super::layout::{
    Fields, Load, Put, Reader, Value, Writer, greatest_align, no_such_case, payload, record_size, variant_size,
};
use crate::plugin::bindings::{
    authorizer::{Denial, Grant, Verdict},
    gatehouse::plugin::types::{Attribute, ChunkAction, Header, HeaderEdit, Reply, RequestEdit, ResponseEdit},
    request_body_filter::{RequestBodyAction, RequestBodyEdit},
    request_filter::RequestAction,
    response_body_filter::{ResponseBodyAction, ResponseBodyEdit},
    response_filter::ResponseAction,
};

macro_rules! record {
    ($record:ident { $($field:ident: $type:ty),+ }) => {
        impl Value for $record {
            const SIZE: usize = record_size(&[$((<$type>::SIZE, <$type>::ALIGN)),+]);
            const ALIGN: usize = greatest_align(&[$((<$type>::SIZE, <$type>::ALIGN)),+]);
        }

        impl Load for $record {
            fn load(from: &mut Reader<'_>, at: usize) -> Result<Self> {
                let mut fields = Fields::from(at);
                // Evaluated in the order in which they are written.
                Ok(Self { $($field: fields.load::<$type>(from)?),+ })
            }
        }
    };
}

macro_rules! variant {
    ($variant:ident { $($number:literal $case:ident($type:ty)),+; $($bare_number:literal $bare:ident)? }) => {
        impl Value for $variant {
            const SIZE: usize = variant_size(&[$((<$type>::SIZE, <$type>::ALIGN)),+]);
            const ALIGN: usize = greatest_align(&[$((<$type>::SIZE, <$type>::ALIGN)),+]);
        }

        impl Load for $variant {
            fn load(from: &mut Reader<'_>, at: usize) -> Result<Self> {
                match from.case(at)? {
                    $($number => <$type>::load(from, at + payload::<Self>()).map(Self::$case),)+
                    $($bare_number => Ok(Self::$bare),)?
                    case => Err(no_such_case(case)),
                }
            }
        }
    };
}

record!(Header { name: String, value: String });
record!(Attribute { name: String, value: String });
record!(Reply { status: u16, headers: Vec<Header>, body: Vec<u8> });
record!(RequestEdit {
    method: Option<String>,
    path: Option<String>,
    query: Option<String>,
    headers: Vec<HeaderEdit>,
    attributes: Vec<Attribute>
});
record!(ResponseEdit { status: Option<u16>, headers: Vec<HeaderEdit>, attributes: Vec<Attribute> });
record!(RequestBodyEdit { request: RequestEdit, body: Option<Vec<u8>> });
record!(ResponseBodyEdit { response: ResponseEdit, body: Option<Vec<u8>> });
record!(Grant {
    principal: Option<String>,
    attributes: Vec<Attribute>,
    request_headers: Vec<HeaderEdit>,
    max_age: Option<u32>
});
record!(Denial {
    status: u16,
    headers: Vec<Header>,
    body: Vec<u8>,
    reason: Option<String>,
    max_age: Option<u32>
});
variant!(HeaderEdit { 0 Set(Header), 1 Append(Header), 2 Remove(String); });
variant!(ChunkAction { 1 Replace(Vec<u8>), 2 Respond(Reply); 0 Unchanged });
variant!(Verdict { 0 Allow(Grant), 1 Deny(Denial); 2 Abstain });
variant!(RequestAction { 1 Edit(RequestEdit), 2 Respond(Reply); 0 Unchanged });
variant!(RequestBodyAction { 1 Edit(RequestBodyEdit), 2 Respond(Reply); 0 Unchanged });
variant!(ResponseAction { 1 Edit(ResponseEdit), 2 Replace(Reply); 0 Unchanged });
variant!(ResponseBodyAction { 1 Edit(ResponseBodyEdit), 2 Replace(Reply); 0 Unchanged });

/// A field or attribute that a guest reads.
macro_rules! pair {
    ($record:ident) => {
        impl Put for $record {
            fn put(&self, to: &mut impl Writer, at: usize) -> Result<()> {
                self.name.put(to, at)?;
                self.value.put(to, at + String::SIZE)
            }
        }
    };
}

pair!(Header);
pair!(Attribute);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_the_canonical_abi() {
        use wasmtime::component::ComponentType;
        fn same<T: Value + ComponentType>() {
            assert_eq!((T::SIZE, T::ALIGN), (T::SIZE32, T::ALIGN32 as usize), "{}", std::any::type_name::<T>());
        }
        same::<Header>();
        same::<Attribute>();
        same::<Reply>();
        same::<RequestEdit>();
        same::<ResponseEdit>();
        same::<RequestBodyEdit>();
        same::<ResponseBodyEdit>();
        same::<Grant>();
        same::<Denial>();
        same::<HeaderEdit>();
        same::<ChunkAction>();
        same::<Verdict>();
        same::<RequestAction>();
        same::<RequestBodyAction>();
        same::<ResponseAction>();
        same::<ResponseBodyAction>();
        same::<Result<RequestBodyAction, String>>();
        same::<Result<(), String>>();
        same::<Option<u64>>();
        same::<Vec<Option<String>>>();
    }
}
