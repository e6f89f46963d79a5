;; Grows its table until it may not; it traps above 20 000 elements.
;; world: authorizer
(module
  (table 0 funcref)
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (loop $again
      (br_if $again (i32.ne (table.grow (ref.null func) (i32.const 1000)) (i32.const -1))))
    (if (i32.gt_u (table.size) (i32.const 20000)) (then unreachable))
    (i32.const 0)))
