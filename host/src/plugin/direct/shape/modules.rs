//! What the core modules of a component do, as far as its shape depends on that.

use wasmparser::{ElementItems, ElementKind, ExternalKind, FunctionBody, Imports, Operator, Payload, TypeRef};

use super::{MOST, each, one};

/// The imports of a core module, if all are functions.
pub(super) fn imports(module: &[u8]) -> Option<Vec<(&str, &str)>> {
    let mut imports = Vec::new();
    each(module, |payload, _| {
        if let Payload::ImportSection(section) = payload {
            for import in section {
                match import.ok()? {
                    Imports::Single(_, import) if matches!(import.ty, TypeRef::Func(_)) => {
                        imports.push((import.module, import.name));
                        (imports.len() <= MOST).then_some(())?;
                    }
                    _ => return None,
                }
            }
        }
        Some(())
    })?;
    Some(imports)
}

/// Of a shim: for each function that it exports, the slot of the table that it calls; and the table's name.
pub(super) fn shim_slots(module: &[u8]) -> Option<(Vec<(&str, u32)>, &str)> {
    let (mut exported, mut table, mut slots) = (Vec::new(), None, Vec::new());
    each(module, |payload, _| {
        match payload {
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export.ok()?;
                    match export.kind {
                        ExternalKind::Func if exported.len() < MOST => exported.push((export.name, export.index)),
                        ExternalKind::Table => one(&mut table, export.name)?,
                        _ => return None,
                    }
                }
            }
            Payload::CodeSectionEntry(body) => slots.push(slot_called(&body)?),
            Payload::TableSection(section) if section.count() != 1 => return None,
            Payload::Version { .. }
            | Payload::TypeSection(_)
            | Payload::FunctionSection(_)
            | Payload::TableSection(_)
            | Payload::CodeSectionStart { .. }
            | Payload::CustomSection(_)
            | Payload::End(_) => {}
            _ => return None,
        }
        Some(())
    })?;
    let slot = |(name, index): (_, u32)| Some((name, *slots.get(index as usize)?));
    Some((exported.into_iter().map(slot).collect::<Option<_>>()?, table?))
}

/// The slot that a function calls with its parameters, if it does nothing else.
fn slot_called(body: &FunctionBody<'_>) -> Option<u32> {
    let mut operators = body.get_operators_reader().ok()?;
    (body.get_locals_reader().ok()?.get_count() == 0).then_some(())?;
    let mut parameters = 0;
    let slot = loop {
        match operators.read().ok()? {
            Operator::LocalGet { local_index } if local_index == parameters => parameters += 1,
            Operator::I32Const { value } => break u32::try_from(value).ok()?,
            _ => return None,
        }
    };
    // That these are all of its parameters, and none is missing, is what made the module valid.
    let Operator::CallIndirect { table_index: 0, .. } = operators.read().ok()? else { return None };
    matches!(operators.read().ok()?, Operator::End).then_some(slot)
}

/// What a fixup puts into the table, by slot, and the table: all by where it gets them from, and under which name.
pub(super) struct Fixed<'a> {
    pub(super) functions: Vec<(&'a str, &'a str)>,
    pub(super) table: (&'a str, &'a str),
}

pub(super) fn fixup_slots(module: &[u8]) -> Option<Fixed<'_>> {
    let (mut imported, mut table, mut functions) = (Vec::new(), None, Vec::new());
    each(module, |payload, _| {
        match payload {
            Payload::ImportSection(section) => {
                for import in section {
                    let Imports::Single(_, import) = import.ok()? else { return None };
                    let name = (import.module, import.name);
                    match import.ty {
                        TypeRef::Func(_) => imported.push(name),
                        TypeRef::Table(_) => one(&mut table, name)?,
                        _ => return None,
                    }
                }
            }
            Payload::ElementSection(section) => {
                for element in section {
                    let element = element.ok()?;
                    let ElementKind::Active { table_index: None | Some(0), offset_expr } = element.kind else {
                        return None;
                    };
                    let mut offset = offset_expr.get_operators_reader();
                    let Operator::I32Const { value } = offset.read().ok()? else { return None };
                    // One after the other, so that none overwrites another.
                    (usize::try_from(value).ok()? == functions.len()).then_some(())?;
                    matches!(offset.read().ok()?, Operator::End).then_some(())?;
                    let ElementItems::Functions(items) = element.items else { return None };
                    for item in items {
                        functions.push(*imported.get(item.ok()? as usize)?);
                    }
                }
            }
            Payload::Version { .. } | Payload::TypeSection(_) | Payload::CustomSection(_) | Payload::End(_) => {}
            _ => return None,
        }
        Some(())
    })?;
    Some(Fixed { functions, table: table? })
}
