;; Traps if the clock says that it is finer than a microsecond, or is.
;; world: authorizer
(module
  (import "wasi:clocks/monotonic-clock@0.2.0" "now" (func $now (result i64)))
  (import "wasi:clocks/monotonic-clock@0.2.0" "resolution" (func $resolution (result i64)))
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (local $n i32)
    (if (i64.lt_u (call $resolution) (i64.const 1000)) (then unreachable))
    (loop $next
      (if (i64.ne (i64.rem_u (call $now) (i64.const 1000)) (i64.const 0)) (then unreachable))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $n) (i32.const 100))))
    (i32.const 0)))
