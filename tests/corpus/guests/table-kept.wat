;; Traps if its table has grown in an earlier request.
;; world: request-filter
(module
  (table 0 1000 funcref)
  (func (export "gatehouse:plugin/request-filter@0.1.0#on-request") (result i32)
    (if (table.size) (then unreachable))
    (drop (table.grow (ref.null func) (i32.const 100)))
    (i32.const 0)))
