;; Gives the host memory at an odd place, for a list.
;; world: authorizer
(module
  (import "gatehouse:plugin/request@0.1.0" "headers" (func $headers (param i32)))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65537))
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (call $headers (i32.const 0))
    (i32.const 0)))
