;; Wants to send requests, which it was not granted.
(component
  (import "wasi:http/outgoing-handler@0.2.0" (instance (export "handle" (func))))
  (core module $code
    (memory (export "memory") 1)
    (func (export "authorize") (result i32) (i32.const 0)))
  (core instance $it (instantiate $code))
  (func $authorize (result (result (error string))) (canon lift (core func $it "authorize") (memory (core memory $it "memory"))))
  (instance $authorizer (export "authorize" (func $authorize)))
  (export "gatehouse:plugin/authorizer@0.1.0" (instance $authorizer)))
