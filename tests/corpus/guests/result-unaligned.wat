;; Wants what it reads at an odd place.
;; world: authorizer
(module
  (import "gatehouse:plugin/request@0.1.0" "method" (func $method (param i32)))
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (call $method (i32.const 1))
    (i32.const 0)))
