;; Traps when the upstream has answered.
;; world: response-filter
(module
  (func (export "gatehouse:plugin/response-filter@0.1.0#on-response") (result i32)
    unreachable))
