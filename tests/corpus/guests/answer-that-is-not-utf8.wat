;; Its error is a text that is not UTF-8.
;; world: authorizer
(module
  (data (i32.const 1024) "\ff\fe\c0\80")
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (i32.store8 (i32.const 0) (i32.const 1))
    (i32.store (i32.const 4) (i32.const 1024))
    (i32.store (i32.const 8) (i32.const 4))
    (i32.const 0)))
