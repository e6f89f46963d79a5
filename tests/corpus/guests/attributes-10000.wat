;; Ten thousand attributes.
;; world: authorizer
(module
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (drop (memory.grow (i32.const 4)))
    (i32.store (i32.const 20) (i32.const 65536))
    (i32.store (i32.const 24) (i32.const 10000))
    (i32.const 0)))
