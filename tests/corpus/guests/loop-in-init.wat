;; Its `init` never ends.
;; world: lifecycle authorizer
(module
  (data (i32.const 1024) "guest0.1.0")
  (func (export "gatehouse:plugin/lifecycle@0.1.0#describe") (result i32)
    (i32.store (i32.const 0) (i32.const 1024))
    (i32.store (i32.const 4) (i32.const 5))
    (i32.store (i32.const 8) (i32.const 1029))
    (i32.store (i32.const 12) (i32.const 5))
    (i32.const 0))
  (func (export "gatehouse:plugin/lifecycle@0.1.0#init") (param i32 i32) (result i32)
    (loop $again (br $again))
    unreachable)
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32) (i32.const 0)))
