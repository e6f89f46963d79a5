;; Makes timers and gives none back.
;; world: authorizer
(module
  (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $timer (param i64) (result i32)))
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (loop $again
      (drop (call $timer (i64.const 1000)))
      (br $again))
    unreachable))
