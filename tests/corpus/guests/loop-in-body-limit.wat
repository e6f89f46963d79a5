;; Asked how much of a body it wants, it never says.
;; world: request-body-filter
(module
  (func (export "gatehouse:plugin/request-body-filter@0.1.0#request-body-limit") (result i32)
    (loop $again (br $again))
    unreachable)
  (func (export "gatehouse:plugin/request-body-filter@0.1.0#on-request-body") (param i32 i32) (result i32)
    (i32.const 0)))
