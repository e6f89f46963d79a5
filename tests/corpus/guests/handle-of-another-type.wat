;; Waits for a stream as if it were a timer.
;; world: authorizer
(module
  (import "wasi:cli/stdout@0.2.0" "get-stdout" (func $stdout (result i32)))
  (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (call $block (call $stdout))
    (i32.const 0)))
