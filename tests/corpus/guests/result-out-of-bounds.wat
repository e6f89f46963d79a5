;; Wants what it reads where it has no memory.
;; world: authorizer
(module
  (import "gatehouse:plugin/request@0.1.0" "query" (func $query (param i32)))
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (call $query (i32.const -4))
    (i32.const 0)))
