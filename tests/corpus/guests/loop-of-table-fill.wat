;; A loop of long instructions on a table.
;; world: authorizer
(module
  (table 10000 funcref)
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (loop $again
      (table.fill (i32.const 0) (ref.null func) (i32.const 10000))
      (br $again))
    unreachable))
