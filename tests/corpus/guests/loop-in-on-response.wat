;; A response filter that never ends.
;; world: response-filter
(module
  (func (export "gatehouse:plugin/response-filter@0.1.0#on-response") (result i32)
    (loop $again (br $again))
    unreachable))
