;; Its table begins with ten million elements.
;; world: authorizer
(module
  (table 10000000 funcref)
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (i32.const 0)))
