;; Its hook is of a version that does not exist.
(component
  (core module $code
    (memory (export "memory") 1)
    (func (export "authorize") (result i32) (i32.const 0)))
  (core instance $it (instantiate $code))
  (func $authorize (result (result (error string))) (canon lift (core func $it "authorize") (memory (core memory $it "memory"))))
  (instance $authorizer (export "authorize" (func $authorize)))
  (export "gatehouse:plugin/authorizer@9.0.0" (instance $authorizer)))
