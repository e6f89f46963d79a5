//! Which components have the usual shape, and which have not.

use super::*;

/// As `wit-component` makes them: one import by way of a shim, one without.
const USUAL: &str = r#"(component
    (import "x:y/log@0.1.0" (instance $log
        (export "enabled" (func (param "level" u32) (result bool)))
        (export "write" (func (param "line" string)))))
    (core module $main
        (import "log" "enabled" (func (param i32) (result i32)))
        (import "log" "write" (func (param i32 i32)))
        (memory (export "memory") 1)
        (func (export "alloc") (param i32 i32 i32 i32) (result i32) i32.const 0)
        (func (export "hook") (param i32 i32) (result i32) i32.const 0)
        (func (export "after") (param i32)))
    (core module $shim
        (type $write (func (param i32 i32)))
        (table (export "$imports") 1 1 funcref)
        (func (export "0") (type $write) (call_indirect (type $write) (local.get 0) (local.get 1) (i32.const 0))))
    (core module $fixup
        (import "actual" "0" (func $0 (param i32 i32)))
        (import "shim" "$imports" (table 1 1 funcref))
        (elem (i32.const 0) func $0))
    (core instance $shim (instantiate $shim))
    (core func $enabled (canon lower (func $log "enabled")))
    (core instance $main (instantiate $main (with "log" (instance
        (export "enabled" (func $enabled))
        (export "write" (func $shim "0"))))))
    (alias core export $main "memory" (core memory $memory))
    (core func $write (canon lower (func $log "write") (memory (core memory $memory))))
    (core instance (instantiate $fixup
        (with "actual" (instance (export "0" (func $write))))
        (with "shim" (instance $shim))))
    (func $hook (param "body" (list u8)) (result string) (canon lift (core func $main "hook")
        (memory (core memory $memory)) (realloc (core func $main "alloc")) (post-return (core func $main "after"))))
    (component $wrapper
        (import "import-func-hook" (func $in (param "body" (list u8)) (result string)))
        (export "hook" (func $in)))
    (instance $exported (instantiate $wrapper (with "import-func-hook" (func $hook))))
    (export "x:y/hooks@0.1.0" (instance $exported)))"#;

fn of(text: &str) -> Option<Shape> {
    Shape::of(&wat::parse_str(text).unwrap())
}

#[test]
fn what_the_tools_make_is_one_module() {
    let text = str::to_owned;
    let import = |function: &str| Import {
        module: "log".into(),
        name: function.into(),
        interface: "x:y/log@0.1.0".into(),
        function: function.into(),
    };
    let hook = Export { function: "hook".into(), post_return: Some("after".into()) };
    let shape = Shape {
        module: 0,
        imports: ["enabled", "write"].map(import).into(),
        exports: [((text("x:y/hooks@0.1.0"), text("hook")), hook)].into(),
        memory: "memory".into(),
        realloc: Some("alloc".into()),
    };
    assert_eq!(of(USUAL), Some(shape));
}

#[test]
fn that_module_is_one_more_export() {
    let component = wat::parse_str(USUAL).unwrap();
    let with_module = Shape::of(&component).unwrap().with_module(&component);
    let engine = wasmtime::Engine::default();
    let component = wasmtime::component::Component::new(&engine, with_module).unwrap();
    let types = component.component_type();
    assert!(matches!(
        types.get_export(&engine, MODULE).unwrap().ty,
        wasmtime::component::types::ComponentItem::Module(_)
    ));
}

#[test]
fn what_might_do_something_else_has_no_shape() {
    for (usual, other) in [
        // A shim that calls another slot than its fixup fills, one that does more, one that forgets a parameter.
        ("(local.get 1) (i32.const 0))", "(local.get 1) (i32.const 1))"),
        ("(type $write) (call_indirect", "(type $write) (drop (i32.const 7)) (call_indirect"),
        ("(local.get 0) (local.get 1)", "(local.get 1) (local.get 0)"),
        // A fixup that does more than to fill the table.
        ("(elem (i32.const 0) func $0)", "(elem (i32.const 0) func $0) (func) (start 1)"),
        // One more instance, which may have a start.
        (
            "(core instance $shim (inst",
            "(core module $e (func) (start 0)) (core instance (instantiate $e)) (core instance $shim (inst",
        ),
        // Texts of another encoding.
        ("(canon lower (func $log \"write\") ", "(canon lower (func $log \"write\") string-encoding=utf16 "),
        // A function that is given and taken, without the module between.
        ("(core func $enabled (canon lower (func $log \"enabled\")))", "(core func $enabled (canon resource.drop $r))"),
        // The name that we give to the module.
        ("(export \"x:y/hooks@0.1.0\"", "(export \"gatehouse-core-module\""),
        // Imports of a module that are no functions.
        ("(memory (export \"memory\") 1)", "(import \"log\" \"g\" (global i32)) (memory (export \"memory\") 1)"),
    ] {
        let text =
            USUAL.replacen(usual, other, 1).replacen("(component", "(component (type $r (resource (rep i32)))", 1);
        assert!(text.contains(other), "{usual}");
        // Some are not even valid: then the compiler will say so.
        assert_eq!(of(&text), None, "{other}");
    }
}

#[test]
fn what_would_take_long_to_look_through_is_not() {
    let many = |count: usize| {
        let import = "(import \"log\" \"enabled\" (func (param i32) (result i32)))";
        USUAL.replacen(import, &import.repeat(count), 1)
    };
    assert_eq!(of(&many(900)).map(|shape| shape.imports.len()), Some(901));
    assert_eq!(of(&many(MOST)), None);
    let aliases: String = (0..=MOST).map(|_| "(alias core export $main \"hook\" (core func))").collect();
    assert_eq!(of(&USUAL.replacen("(alias core export $main", &format!("{aliases}(alias core export $main"), 1)), None);
}

#[test]
fn bytes_that_are_no_component_have_no_shape() {
    let component = wat::parse_str(USUAL).unwrap();
    for end in 0..component.len() {
        // What is left out at the end may be names only.
        _ = Shape::of(&component[..end]);
    }
    for at in 0..component.len() {
        let mut changed = component.clone();
        changed[at] ^= 0x55;
        _ = Shape::of(&changed);
    }
    assert_eq!(Shape::of(b""), None);
    assert_eq!(Shape::of(b"\0asm\x01\0\0\0"), None);
}
