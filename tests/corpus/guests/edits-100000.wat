;; A hundred thousand header edits.
;; world: request-filter
(module
  (func (export "gatehouse:plugin/request-filter@0.1.0#on-request") (result i32)
    (drop (memory.grow (i32.const 40)))
    (i32.store (i32.const 4) (i32.const 1))
    (i32.store (i32.const 44) (i32.const 65536))
    (i32.store (i32.const 48) (i32.const 100000))
    (i32.const 0)))
