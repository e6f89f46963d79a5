;; Its verdict is the 200th of three.
;; world: authorizer
(module
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (i32.store8 (i32.const 4) (i32.const 200))
    (i32.const 0)))
