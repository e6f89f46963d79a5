;; Waits by looking at the clock.
;; world: authorizer
(module
  (import "wasi:clocks/monotonic-clock@0.2.0" "now" (func $now (result i64)))
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (loop $again
      (drop (call $now))
      (br $again))
    unreachable))
