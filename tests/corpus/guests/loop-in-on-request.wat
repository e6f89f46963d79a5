;; A request filter that never ends.
;; world: request-filter
(module
  (func (export "gatehouse:plugin/request-filter@0.1.0#on-request") (result i32)
    (loop $again (br $again))
    unreachable))
