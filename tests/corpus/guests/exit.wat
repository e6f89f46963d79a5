;; Asks to end the process.
;; world: authorizer
(module
  (import "wasi:cli/exit@0.2.0" "exit" (func $exit (param i32)))
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (call $exit (i32.const 1))
    (i32.const 0)))
