;; Its error is a text behind the end of its memory.
;; world: authorizer
(module
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (i32.store8 (i32.const 0) (i32.const 1))
    (i32.store (i32.const 4) (i32.const -65536))
    (i32.store (i32.const 8) (i32.const 65000))
    (i32.const 0)))
