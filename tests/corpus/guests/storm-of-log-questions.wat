;; Asks for ever whether a log level is on.
;; world: request-filter
(module
  (import "gatehouse:plugin/log@0.1.0" "enabled" (func $enabled (param i32) (result i32)))
  (func (export "gatehouse:plugin/request-filter@0.1.0#on-request") (result i32)
    (loop $again
      (drop (call $enabled (i32.const 2)))
      (br $again))
    unreachable))
