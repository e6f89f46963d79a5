;; Reads a header whose name is no text.
;; world: authorizer
(module
  (import "gatehouse:plugin/request@0.1.0" "header" (func $header (param i32 i32 i32)))
  (data (i32.const 1024) "\ff\c0")
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (call $header (i32.const 1024) (i32.const 2) (i32.const 0))
    (i32.const 0)))
