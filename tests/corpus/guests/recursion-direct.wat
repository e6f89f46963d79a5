;; A function that calls itself without end.
;; world: authorizer
(module
  (func $deeper (call $deeper) (call $deeper))
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (call $deeper)
    (i32.const 0)))
