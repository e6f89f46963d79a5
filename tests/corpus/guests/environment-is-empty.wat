;; Looks for environment variables; it traps if there is one.
;; world: authorizer
(module
  (import "wasi:cli/environment@0.2.0" "get-environment" (func $environment (param i32)))
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (call $environment (i32.const 16))
    (if (i32.load (i32.const 20)) (then unreachable))
    (i32.const 0)))
