//! Calling a plugin's core module itself, without the layer of the component model between: for a call that is made on
//! a worker, that layer costs half as much again as all the rest of it.
//!
//! A plugin is a component, and is loaded, checked and held to its types as one. If it is made of one core module in the
//! usual way (`shape.rs`) and imports only functions that never wait, instances for plain calls are instances
//! of that module. What the component model promises on both sides holds here too: values are checked as they are lifted
//! (`layout.rs`), `post-return` is called, and a guest that calls an import from its `realloc` or its `post-return` traps.
//! Calls on fibers are made to components: wasmtime lets no host function of a module call back there.

mod contract;
mod imports;
mod layout;
mod shape;

use std::marker::PhantomData;

use wasmtime::{
    AsContextMut as _, Error, Extern, Instance, InstancePre, Linker, Memory, Module, ModuleExport, Result, Store,
    StoreContextMut, Trap, TypedFunc, WasmParams, WasmResults,
};

pub(super) use layout::Load;
pub(super) use shape::{MODULE, Shape};

use super::{
    hooks::Entry,
    instance::{self, Callable, Functions},
    state::State,
};
use layout::{Reader, Writer, aligned, out_of_bounds};

/// The way to a plugin's core module.
pub(super) struct Direct {
    pre: InstancePre<State>,
    entries: [Option<Exported>; Entry::ALL.len()],
    memory: ModuleExport,
    realloc: Option<ModuleExport>,
}

/// A function of the component, in its core module.
#[derive(Clone, Copy)]
struct Exported {
    function: ModuleExport,
    post_return: Option<ModuleExport>,
}

/// What the host needs of an instance to hand values over. Away while the guest must not call its imports: in its
/// `realloc`, and in its `post-return`.
pub(super) struct Sides {
    memory: Memory,
    realloc: Option<TypedFunc<(u32, u32, u32, u32), u32>>,
}

/// A function of an instance of the core module. Whatever it returns, it is in memory: no result of the contract is so small
/// that it is not.
pub(super) struct Function<P: Arguments, R> {
    function: TypedFunc<P::Flat, u32>,
    post_return: Option<TypedFunc<u32, ()>>,
    result: PhantomData<fn() -> R>,
}

/// `lifecycle.init`.
type Init = Function<(String,), Result<(), String>>;

/// The parameters of a function of the contract: at most one list of bytes and numbers.
pub(crate) trait Arguments {
    /// As the core module has them.
    type Flat: WasmParams + Sync;

    /// The list, for which the guest has to make room.
    fn bytes(&self) -> Option<&[u8]>;

    /// With the list there.
    fn flat(&self, at: u32) -> Self::Flat;
}

impl Arguments for () {
    type Flat = ();

    fn bytes(&self) -> Option<&[u8]> {
        None
    }

    fn flat(&self, _: u32) -> Self::Flat {}
}

impl Arguments for (String,) {
    type Flat = (u32, u32);

    fn bytes(&self) -> Option<&[u8]> {
        Some(self.0.as_bytes())
    }

    fn flat(&self, at: u32) -> Self::Flat {
        (at, self.0.len() as u32)
    }
}

impl Arguments for (Vec<u8>,) {
    type Flat = (u32, u32);

    fn bytes(&self) -> Option<&[u8]> {
        Some(&self.0)
    }

    fn flat(&self, at: u32) -> Self::Flat {
        (at, self.0.len() as u32)
    }
}

impl Arguments for (Vec<u8>, bool) {
    type Flat = (u32, u32, u32);

    fn bytes(&self) -> Option<&[u8]> {
        Some(&self.0)
    }

    fn flat(&self, at: u32) -> Self::Flat {
        (at, self.0.len() as u32, u32::from(self.1))
    }
}

impl Direct {
    /// The way to a module of that shape; None: it has an import that is only for components.
    pub(super) fn to(module: &Module, shape: &Shape) -> Option<Self> {
        let mut linker = Linker::new(module.engine());
        shape.imports.iter().try_for_each(|import| imports::define(&mut linker, import))?;
        let mut entries = [None; Entry::ALL.len()];
        for entry in Entry::ALL {
            let (interface, function) = entry.names();
            let Some(names) = shape.export(&interface, function) else { continue };
            let function = module.get_export_index(&names.function)?;
            let post_return = match &names.post_return {
                None => None,
                Some(name) => Some(module.get_export_index(name)?),
            };
            entries[entry as usize] = Some(Exported { function, post_return });
        }
        let realloc = match &shape.realloc {
            None => None,
            Some(name) => Some(module.get_export_index(name)?),
        };
        let memory = module.get_export_index(&shape.memory)?;
        Some(Self { pre: linker.instantiate_pre(module).ok()?, entries, memory, realloc })
    }

    pub(super) fn pre(&self) -> &InstancePre<State> {
        &self.pre
    }

    /// The functions of an instance that was just made, which may use its imports from here on; and its `init`.
    pub(super) fn functions(&self, store: &mut Store<State>, instance: &Instance) -> Result<(Functions, Option<Init>)> {
        let memory = instance.get_module_export(&mut *store, &self.memory).and_then(Extern::into_memory);
        let memory = memory.ok_or_else(out_of_bounds)?;
        let realloc = self.realloc.map(|realloc| typed(store, instance, &realloc)).transpose()?;
        store.data_mut().sides = Some(Box::new(Sides { memory, realloc }));
        let functions = Functions {
            authorize: self.hook(store, instance, Entry::Authorize)?,
            on_request: self.hook(store, instance, Entry::OnRequest)?,
            request_body_limit: self.hook(store, instance, Entry::RequestBodyLimit)?,
            on_request_body: self.hook(store, instance, Entry::OnRequestBody)?,
            on_request_chunk: self.hook(store, instance, Entry::OnRequestChunk)?,
            on_response: self.hook(store, instance, Entry::OnResponse)?,
            response_body_limit: self.hook(store, instance, Entry::ResponseBodyLimit)?,
            on_response_body: self.hook(store, instance, Entry::OnResponseBody)?,
            on_response_chunk: self.hook(store, instance, Entry::OnResponseChunk)?,
            log: self.hook(store, instance, Entry::Log)?,
        };
        Ok((functions, self.function(store, instance, Entry::Start)?))
    }

    fn hook<P: Arguments, R>(
        &self,
        store: &mut Store<State>,
        instance: &Instance,
        entry: Entry,
    ) -> Result<instance::Function<P, R>> {
        Ok(self.function(store, instance, entry)?.map(Callable::Direct))
    }

    fn function<P: Arguments, R>(
        &self,
        store: &mut Store<State>,
        instance: &Instance,
        entry: Entry,
    ) -> Result<Option<Function<P, R>>> {
        let Some(exported) = &self.entries[entry as usize] else { return Ok(None) };
        let function = typed(store, instance, &exported.function)?;
        let post_return = exported.post_return.as_ref().map(|post| typed(store, instance, post)).transpose()?;
        Ok(Some(Function { function, post_return, result: PhantomData }))
    }
}

fn typed<P: WasmParams, R: WasmResults>(
    store: &mut Store<State>,
    instance: &Instance,
    export: &ModuleExport,
) -> Result<TypedFunc<P, R>> {
    let function = instance.get_module_export(&mut *store, export).and_then(Extern::into_func);
    function.ok_or_else(|| Error::msg("an export of the core module is no function"))?.typed(store)
}

impl<P: Arguments, R: Load> Function<P, R> {
    /// Calls it plainly.
    pub(super) fn call(&self, store: &mut Store<State>, params: &P) -> Result<R> {
        let at = match params.bytes() {
            None => 0,
            Some(bytes) => Guest::with(store.as_context_mut(), |guest| {
                let at = guest.allocate(1, bytes.len())?;
                guest.write(at, bytes)?;
                Ok(at as u32)
            })?,
        };
        let result = self.function.call(&mut *store, params.flat(at))?;
        let value = loaded(store, result)?;
        if let Some(post_return) = &self.post_return {
            let sides = store.data_mut().sides.take();
            post_return.call(&mut *store, result)?;
            store.data_mut().sides = sides;
        }
        Ok(value)
    }

    /// Calls it on a fiber. It must not call an import that has it make room.
    pub(super) async fn call_async(&self, store: &mut Store<State>, params: &P) -> Result<R> {
        let mut at = 0;
        if let Some(bytes) = params.bytes() {
            let sides = store.data_mut().sides.take().ok_or(Trap::CannotLeaveComponent)?;
            let realloc = sides.realloc.as_ref().ok_or_else(no_realloc)?;
            at = realloc.call_async(&mut *store, (0, 0, 1, bytes.len() as u32)).await?;
            Guest { sides: &sides, store: store.as_context_mut() }.write(at as usize, bytes)?;
            store.data_mut().sides = Some(sides);
        }
        let result = self.function.call_async(&mut *store, params.flat(at)).await?;
        let value = loaded(store, result)?;
        if let Some(post_return) = &self.post_return {
            let sides = store.data_mut().sides.take();
            post_return.call_async(&mut *store, result).await?;
            store.data_mut().sides = sides;
        }
        Ok(value)
    }
}

fn loaded<R: Load>(store: &Store<State>, at: u32) -> Result<R> {
    let state = store.data();
    let sides = state.sides.as_ref().ok_or(Trap::CannotLeaveComponent)?;
    Reader::new(sides.memory.data(store), state.shared.most_handed_over()).value(at)
}

/// A guest that is given something.
struct Guest<'a> {
    sides: &'a Sides,
    store: StoreContextMut<'a, State>,
}

impl Guest<'_> {
    /// Has something given to a guest, whose calls of imports are refused meanwhile.
    fn with<T>(mut store: StoreContextMut<'_, State>, give: impl FnOnce(&mut Guest<'_>) -> Result<T>) -> Result<T> {
        // After an error it is not put back: the guest has trapped, and is not called any more.
        let sides = store.data_mut().sides.take().ok_or(Trap::CannotLeaveComponent)?;
        let given = give(&mut Guest { sides: &sides, store: store.as_context_mut() })?;
        store.data_mut().sides = Some(sides);
        Ok(given)
    }

    /// That so many bytes are there.
    fn holds(&self, at: usize, size: usize) -> Result<()> {
        let end = at.checked_add(size).filter(|end| *end <= self.sides.memory.data_size(&self.store));
        end.map(drop).ok_or_else(out_of_bounds)
    }
}

impl Writer for Guest<'_> {
    fn write(&mut self, at: usize, bytes: &[u8]) -> Result<()> {
        let memory = self.sides.memory.data_mut(&mut self.store);
        let place = at.checked_add(bytes.len()).and_then(|end| memory.get_mut(at..end));
        place.ok_or_else(out_of_bounds)?.copy_from_slice(bytes);
        Ok(())
    }

    fn allocate(&mut self, align: usize, size: usize) -> Result<usize> {
        let size = u32::try_from(size).map_err(|_| out_of_bounds())?;
        let realloc = self.sides.realloc.as_ref().ok_or_else(no_realloc)?;
        let at = aligned(realloc.call(&mut self.store, (0, 0, align as u32, size))?, align)?;
        self.holds(at, size as usize)?;
        Ok(at)
    }
}

fn no_realloc() -> Error {
    Error::msg("a value for a guest that has no `realloc`")
}
