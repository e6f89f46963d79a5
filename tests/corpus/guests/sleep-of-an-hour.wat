;; Waits for a timer of an hour.
;; world: authorizer
(module
  (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $timer (param i64) (result i32)))
  (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (call $block (call $timer (i64.const 3600000000000)))
    (i32.const 0)))
