;; Calls an element of a table that is null.
;; world: authorizer
(module
  (table 1 funcref)
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (call_indirect (result i32) (i32.const 0))))
