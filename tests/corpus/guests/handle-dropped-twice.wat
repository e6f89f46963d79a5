;; Gives a handle back twice.
;; world: authorizer
(module
  (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $timer (param i64) (result i32)))
  (import "wasi:io/poll@0.2.0" "[resource-drop]pollable" (func $drop-pollable (param i32)))
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (local $timer i32)
    (local.set $timer (call $timer (i64.const 1)))
    (call $drop-pollable (local.get $timer))
    (call $drop-pollable (local.get $timer))
    (i32.const 0)))
