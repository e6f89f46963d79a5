;; Reads a header whose name begins in its memory and ends behind it.
;; world: authorizer
(module
  (import "gatehouse:plugin/request@0.1.0" "header" (func $header (param i32 i32 i32)))
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (call $header (i32.const 1024) (i32.const -1024) (i32.const 0))
    (i32.const 0)))
