;; An authorizer that never ends.
;; world: authorizer
(module
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (loop $again (br $again))
    unreachable))
