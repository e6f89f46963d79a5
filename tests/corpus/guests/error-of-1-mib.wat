;; An error whose text is 1 MiB.
;; world: authorizer
(module
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (drop (memory.grow (i32.const 32)))
    (memory.fill (i32.const 131072) (i32.const 97) (i32.const 1048576))
    (i32.store8 (i32.const 0) (i32.const 1))
    (i32.store (i32.const 4) (i32.const 131072))
    (i32.store (i32.const 8) (i32.const 1048576))
    (i32.const 0)))
