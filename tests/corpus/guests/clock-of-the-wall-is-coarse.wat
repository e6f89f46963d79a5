;; Traps if the time of day is finer than a microsecond.
;; world: authorizer
(module
  (import "wasi:clocks/wall-clock@0.2.0" "now" (func $wall (param i32)))
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (call $wall (i32.const 512))
    (if (i32.rem_u (i32.load (i32.const 520)) (i32.const 1000)) (then unreachable))
    (i32.const 0)))
