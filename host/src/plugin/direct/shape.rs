//! Of which parts a component is made, if they are those that the usual tools make of one core module: that module, whose
//! imports are the component's, and whose exports its hooks.
//!
//! The tools (`wit-component`, behind `cargo component`, `wasm-tools component new` and others) cannot give a module the imports
//! that need its memory before it is there. So they add two small modules: a *shim*, whose functions call what stands
//! in a table, and a *fixup*, which puts the imports into that table once the memory is there. Who can give imports that
//! find the memory later needs neither. What they do is read from their code, not guessed from their names. A component of any
//! other shape has none here, and is called as any component is.

mod modules;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use wasm_encoder::{ComponentExportKind, ComponentExportSection, ComponentSection as _};
use wasmparser::{
    CanonicalFunction, CanonicalOption, Chunk, ComponentAlias, ComponentExternalKind, ComponentInstance,
    ComponentOuterAliasKind, ExternalKind, Instance, Parser, Payload,
};

/// The most of anything that a component may have and still be looked at: what is looked for in lists must not take an author's
/// word for how long that takes. The tools' components have some dozen.
const MOST: usize = 1000;

/// The name under which the core module is exported to us.
pub(crate) const MODULE: &str = "gatehouse-core-module";

/// The parts of a component of the usual shape.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Which of the component's core modules has the code.
    pub(super) module: u32,
    /// That module's imports.
    pub(super) imports: Vec<Import>,
    /// The component's functions, by interface and name.
    pub(super) exports: HashMap<(String, String), Export>,
    /// The module's memory, by the name under which it exports it.
    pub(super) memory: String,
    /// Its function that allocates.
    pub(super) realloc: Option<String>,
}

/// An import of the core module, and which import of the component it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Import {
    pub(super) module: String,
    pub(super) name: String,
    pub(super) interface: String,
    pub(super) function: String,
}

/// The core module's exports that one exported function of the component is made of.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Export {
    pub(super) function: String,
    pub(super) post_return: Option<String>,
}

impl Shape {
    /// That of a component's bytes, if it has one.
    pub(crate) fn of(component: &[u8]) -> Option<Self> {
        Parts::of(component)?.shape()
    }

    /// What an exported function of the component is.
    pub(super) fn export(&self, interface: &str, function: &str) -> Option<&Export> {
        self.exports.get(&(interface.to_owned(), function.to_owned()))
    }

    /// The component, with that module as one more export, [`MODULE`]: so it is compiled but once, and can be had by itself.
    pub(crate) fn with_module(&self, component: &[u8]) -> Vec<u8> {
        let mut export = ComponentExportSection::new();
        export.export(MODULE, ComponentExportKind::Module, self.module, None);
        let mut component = component.to_vec();
        export.append_to_component(&mut component);
        component
    }
}

/// The items of a component, in its index spaces.
#[derive(Default)]
struct Parts<'a> {
    modules: Vec<&'a [u8]>,
    core_instances: Vec<Instance<'a>>,
    core_functions: Vec<CoreFunction<'a>>,
    /// Which instance exports it, under which name.
    memories: Vec<(u32, &'a str)>,
    components: Vec<&'a [u8]>,
    instances: Vec<PartInstance<'a>>,
    functions: Vec<Function<'a>>,
    exports: Vec<(&'a str, u32)>,
}

#[derive(Clone)]
enum PartInstance<'a> {
    Imported(&'a str),
    Made(ComponentInstance<'a>),
    Other,
}

#[derive(Clone)]
enum Function<'a> {
    Of { instance: u32, name: &'a str },
    Lifted { core: u32, options: Box<[CanonicalOption]> },
}

enum CoreFunction<'a> {
    Of { instance: u32, name: &'a str },
    Lowered { function: u32, options: Box<[CanonicalOption]> },
    Other,
}

impl<'a> Parts<'a> {
    fn of(component: &'a [u8]) -> Option<Self> {
        let mut this = Self::default();
        each(component, |payload, nested| {
            this.take(payload, nested)?;
            this.is_small().then_some(())
        })?;
        Some(this)
    }

    fn is_small(&self) -> bool {
        let lengths = [
            self.modules.len(),
            self.core_instances.len(),
            self.core_functions.len(),
            self.memories.len(),
            self.components.len(),
            self.instances.len(),
            self.functions.len(),
            self.exports.len(),
        ];
        lengths.into_iter().all(|length| length <= MOST)
    }

    /// Takes a part of the component; None: it is one that the usual shape does not have.
    fn take(&mut self, payload: Payload<'a>, nested: &'a [u8]) -> Option<()> {
        match payload {
            Payload::ModuleSection { .. } => self.modules.push(nested),
            Payload::ComponentSection { .. } => self.components.push(nested),
            Payload::InstanceSection(section) => {
                for instance in section {
                    let instance = instance.ok()?;
                    let parts = match &instance {
                        Instance::Instantiate { args, .. } => args.len(),
                        Instance::FromExports(exports) => exports.len(),
                    };
                    (parts <= MOST).then_some(())?;
                    self.core_instances.push(instance);
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section {
                    let import = import.ok()?;
                    match import.ty.kind() {
                        ComponentExternalKind::Instance => {
                            self.instances.push(PartInstance::Imported(import.name.name))
                        }
                        ComponentExternalKind::Type => {}
                        _ => return None,
                    }
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section {
                    self.take_alias(alias.ok()?)?;
                }
            }
            Payload::ComponentCanonicalSection(section) => {
                for function in section {
                    self.take_canonical(function.ok()?);
                }
            }
            Payload::ComponentInstanceSection(section) => {
                for instance in section {
                    let instance = instance.ok()?;
                    let parts = match &instance {
                        ComponentInstance::Instantiate { args, .. } => args.len(),
                        ComponentInstance::FromExports(exports) => exports.len(),
                    };
                    (parts <= MOST).then_some(())?;
                    self.instances.push(PartInstance::Made(instance));
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    let export = export.ok()?;
                    match export.kind {
                        ComponentExternalKind::Instance if export.name.name != MODULE => {
                            self.exports.push((export.name.name, export.index));
                            self.instances.push(self.instances.get(export.index as usize)?.clone());
                        }
                        ComponentExternalKind::Type => {}
                        _ => return None,
                    }
                }
            }
            Payload::Version { .. }
            | Payload::CoreTypeSection(_)
            | Payload::ComponentTypeSection(_)
            | Payload::CustomSection(_)
            | Payload::End(_) => {}
            _ => return None,
        }
        Some(())
    }

    fn take_alias(&mut self, alias: ComponentAlias<'a>) -> Option<()> {
        match alias {
            ComponentAlias::InstanceExport { kind, instance_index: instance, name } => match kind {
                ComponentExternalKind::Func => self.functions.push(Function::Of { instance, name }),
                ComponentExternalKind::Instance => self.instances.push(PartInstance::Other),
                ComponentExternalKind::Type => {}
                _ => return None,
            },
            ComponentAlias::CoreInstanceExport { kind, instance_index: instance, name } => match kind {
                ExternalKind::Func => self.core_functions.push(CoreFunction::Of { instance, name }),
                ExternalKind::Memory => self.memories.push((instance, name)),
                ExternalKind::Table | ExternalKind::Global => {}
                _ => return None,
            },
            ComponentAlias::Outer {
                kind: ComponentOuterAliasKind::Type | ComponentOuterAliasKind::CoreType, ..
            } => {}
            ComponentAlias::Outer { .. } => return None,
        }
        Some(())
    }

    fn take_canonical(&mut self, function: CanonicalFunction) {
        match function {
            CanonicalFunction::Lift { core_func_index: core, options, .. } => {
                self.functions.push(Function::Lifted { core, options });
            }
            CanonicalFunction::Lower { func_index: function, options } => {
                self.core_functions.push(CoreFunction::Lowered { function, options });
            }
            _ => self.core_functions.push(CoreFunction::Other),
        }
    }

    fn shape(&self) -> Option<Shape> {
        let mut found = Found::default();
        let mut exports = HashMap::new();
        for &(interface, instance) in &self.exports {
            for (name, function) in self.functions_of(instance)? {
                let Function::Lifted { core, options } = self.functions.get(function as usize)? else { return None };
                let function = found.of_main(self.core_functions.get(*core as usize)?)?.to_owned();
                let post_return = found.note(self, options)?;
                exports.insert((interface.to_owned(), name.to_owned()), Export { function, post_return });
            }
        }
        let main = found.main?;
        let Instance::Instantiate { module_index: module, args } = self.core_instances.get(main as usize)? else {
            return None;
        };
        let mut shim = None;
        let mut imports = Vec::new();
        for (from, name) in modules::imports(self.modules.get(*module as usize)?)? {
            let instance = args.iter().find(|arg| arg.name == from)?.index;
            let (function, options) = self.lowered(instance, name, main, &mut shim)?;
            if found.note(self, options)?.is_some() {
                return None;
            }
            let Function::Of { instance, name: function } = self.functions.get(function as usize)? else { return None };
            let PartInstance::Imported(interface) = self.instances.get(*instance as usize)? else { return None };
            let [module, name, interface, function] = [from, name, interface, function].map(str::to_owned);
            imports.push(Import { module, name, interface, function });
        }
        // Whatever else is there might do something.
        let made = self.core_instances.iter().filter(|instance| matches!(instance, Instance::Instantiate { .. }));
        let modules = if shim.is_some() { 3 } else { 1 };
        (made.count() == modules && self.modules.len() == modules).then_some(())?;
        let realloc = found.realloc.map(str::to_owned);
        Some(Shape { module: *module, imports, exports, memory: found.memory?.to_owned(), realloc })
    }

    /// The functions that an instance of the component has, by their names.
    fn functions_of(&self, instance: u32) -> Option<Vec<(&'a str, u32)>> {
        match self.instances.get(instance as usize)? {
            PartInstance::Made(ComponentInstance::FromExports(exports)) => {
                let functions = exports.iter().filter(|export| export.kind == ComponentExternalKind::Func);
                Some(functions.map(|export| (export.name.name, export.index)).collect())
            }
            PartInstance::Made(ComponentInstance::Instantiate { component_index, args }) => {
                let passed = passed_on(self.components.get(*component_index as usize)?)?;
                let given = |name| args.iter().find(|arg| arg.name == name && arg.kind == ComponentExternalKind::Func);
                passed.into_iter().map(|(name, import)| Some((name, given(import)?.index))).collect()
            }
            PartInstance::Imported(_) | PartInstance::Other => None,
        }
    }

    /// Which function of the component an instance gives to the main one under that name.
    fn lowered(
        &self,
        instance: u32,
        name: &str,
        main: u32,
        shim: &mut Option<Shim<'a>>,
    ) -> Option<(u32, &[CanonicalOption])> {
        let Instance::FromExports(exports) = self.core_instances.get(instance as usize)? else { return None };
        let export = exports.iter().find(|export| export.name == name && export.kind == ExternalKind::Func)?;
        match self.core_functions.get(export.index as usize)? {
            CoreFunction::Lowered { function, options } => Some((*function, options)),
            CoreFunction::Of { instance, name } => {
                if shim.is_none() {
                    *shim = Some(self.shim(*instance, main)?);
                }
                let shim = shim.as_ref()?;
                (shim.instance == *instance).then_some(())?;
                match self.core_functions.get(*shim.functions.get(name)? as usize)? {
                    CoreFunction::Lowered { function, options } => Some((*function, options)),
                    _ => None,
                }
            }
            CoreFunction::Other => None,
        }
    }

    /// What a shim and its fixup come to.
    fn shim(&self, instance: u32, main: u32) -> Option<Shim<'a>> {
        let Instance::Instantiate { module_index, args } = self.core_instances.get(instance as usize)? else {
            return None;
        };
        args.is_empty().then_some(())?;
        let (slots, table) = modules::shim_slots(self.modules.get(*module_index as usize)?)?;
        let mut others = self.core_instances.iter().enumerate().filter_map(|(at, other)| match other {
            Instance::Instantiate { module_index, args } if at != main as usize && at != instance as usize => {
                Some((module_index, args))
            }
            _ => None,
        });
        let (fixup, args) = others.next()?;
        let fixed = modules::fixup_slots(self.modules.get(*fixup as usize)?)?;
        let given = |from: &str| Some(args.iter().find(|arg| arg.name == from)?.index);
        let (from, name) = fixed.table;
        ((given(from)?, name) == (instance, table)).then_some(())?;
        let function = |(from, name): (&str, &str)| {
            let Instance::FromExports(exports) = self.core_instances.get(given(from)? as usize)? else { return None };
            let mut exports = exports.iter().filter(|export| export.kind == ExternalKind::Func);
            Some(exports.find(|export| export.name == name)?.index)
        };
        let functions =
            slots.into_iter().map(|(name, slot)| Some((name, function(*fixed.functions.get(slot as usize)?)?)));
        Some(Shim { instance, functions: functions.collect::<Option<_>>()? })
    }
}

/// Which core functions of the component the exports of a shim call.
struct Shim<'a> {
    instance: u32,
    functions: HashMap<&'a str, u32>,
}

/// The one instance of the component's code, and what it has, of which there must be one each.
#[derive(Default)]
struct Found<'a> {
    main: Option<u32>,
    memory: Option<&'a str>,
    realloc: Option<&'a str>,
}

impl<'a> Found<'a> {
    /// Notes the options of a function of the component. Its `post-return`, if it has one.
    fn note(&mut self, parts: &Parts<'a>, options: &[CanonicalOption]) -> Option<Option<String>> {
        let mut post_return = None;
        for option in options {
            match option {
                CanonicalOption::UTF8 => {}
                CanonicalOption::Memory(index) => {
                    let &(instance, name) = parts.memories.get(*index as usize)?;
                    one(&mut self.main, instance)?;
                    one(&mut self.memory, name)?;
                }
                CanonicalOption::Realloc(index) => {
                    let name = self.of_main(parts.core_functions.get(*index as usize)?)?;
                    one(&mut self.realloc, name)?;
                }
                CanonicalOption::PostReturn(index) => {
                    post_return = Some(self.of_main(parts.core_functions.get(*index as usize)?)?.to_owned());
                }
                _ => return None,
            }
        }
        Some(post_return)
    }

    fn of_main(&mut self, function: &CoreFunction<'a>) -> Option<&'a str> {
        let CoreFunction::Of { instance, name } = function else { return None };
        one(&mut self.main, *instance)?;
        Some(name)
    }
}

/// Notes a value of which there may be but one.
fn one<T: PartialEq + Copy>(noted: &mut Option<T>, value: T) -> Option<()> {
    (*noted.get_or_insert_with(|| value) == value).then_some(())
}

/// Goes through the parts of a component or module, without those of what is nested in it, whose bytes come along.
fn each<'a>(bytes: &'a [u8], mut take: impl FnMut(Payload<'a>, &'a [u8]) -> Option<()>) -> Option<()> {
    let mut parser = Parser::new(0);
    let mut rest = bytes;
    loop {
        let Chunk::Parsed { consumed, payload } = parser.parse(rest, true).ok()? else { return None };
        rest = rest.get(consumed..)?;
        let mut nested: &[u8] = &[];
        match &payload {
            Payload::ModuleSection { unchecked_range, .. } | Payload::ComponentSection { unchecked_range, .. } => {
                (nested, rest) = rest.split_at_checked(unchecked_range.len())?;
            }
            Payload::CodeSectionStart { size, .. } if rest.len() < *size as usize => return None,
            _ => {}
        }
        let ended = matches!(payload, Payload::End(_));
        take(payload, nested)?;
        if ended {
            return Some(());
        }
    }
}

/// Of a component that only passes functions on, with types: the name of each, and under which name it gets it.
fn passed_on(component: &[u8]) -> Option<Vec<(&str, &str)>> {
    let mut functions = Vec::new();
    let mut passed = Vec::new();
    each(component, |payload, _| {
        match payload {
            Payload::ComponentImportSection(section) => {
                for import in section {
                    let import = import.ok()?;
                    match import.ty.kind() {
                        ComponentExternalKind::Func => functions.push(import.name.name),
                        ComponentExternalKind::Type => {}
                        _ => return None,
                    }
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section {
                    let export = export.ok()?;
                    match export.kind {
                        ComponentExternalKind::Func => {
                            let import = *functions.get(export.index as usize)?;
                            passed.push((export.name.name, import));
                            functions.push(import);
                            (passed.len() <= MOST).then_some(())?;
                        }
                        ComponentExternalKind::Type => {}
                        _ => return None,
                    }
                }
            }
            Payload::ComponentAliasSection(section) => {
                for alias in section {
                    let ComponentAlias::Outer { kind: ComponentOuterAliasKind::Type, .. } = alias.ok()? else {
                        return None;
                    };
                }
            }
            Payload::Version { .. }
            | Payload::ComponentTypeSection(_)
            | Payload::CustomSection(_)
            | Payload::End(_) => {}
            _ => return None,
        }
        Some(())
    })?;
    Some(passed)
}
