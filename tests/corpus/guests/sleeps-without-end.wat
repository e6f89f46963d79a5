;; Many short waits, one after the other.
;; world: request-filter
(module
  (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $timer (param i64) (result i32)))
  (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))
  (import "wasi:io/poll@0.2.0" "[resource-drop]pollable" (func $drop-pollable (param i32)))
  (func (export "gatehouse:plugin/request-filter@0.1.0#on-request") (result i32)
    (local $timer i32)
    (loop $again
      (local.set $timer (call $timer (i64.const 20000000)))
      (call $block (local.get $timer))
      (call $drop-pollable (local.get $timer))
      (br $again))
    unreachable))
