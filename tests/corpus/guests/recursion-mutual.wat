;; Two functions that call each other through a table.
;; world: request-filter
(module
  (type $plain (func))
  (table funcref (elem $one $other))
  (func $one (call_indirect (type $plain) (i32.const 1)) (drop (memory.size)))
  (func $other (call_indirect (type $plain) (i32.const 0)) (drop (memory.size)))
  (func (export "gatehouse:plugin/request-filter@0.1.0#on-request") (result i32)
    (call_indirect (type $plain) (i32.const 0))
    (i32.const 0)))
