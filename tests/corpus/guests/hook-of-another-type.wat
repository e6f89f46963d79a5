;; Its hook has another type than the contract says.
(component
  (core module $code
    (memory (export "memory") 1)
    (func (export "authorize") (result i32) (i32.const 0)))
  (core instance $it (instantiate $code))
  (func $authorize (result u32) (canon lift (core func $it "authorize") (memory (core memory $it "memory"))))
  (instance $authorizer (export "authorize" (func $authorize)))
  (export "gatehouse:plugin/authorizer@0.1.0" (instance $authorizer)))
