;; Five thousand lines to the log in each request.
;; world: logger
(module
  (import "gatehouse:plugin/log@0.1.0" "write" (func $write (param i32 i32 i32)))
  (data (i32.const 1024) "flood")
  (func (export "gatehouse:plugin/logger@0.1.0#log") (result i32)
    (local $n i32)
    (loop $next
      (call $write (i32.const 4) (i32.const 1024) (i32.const 5))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $n) (i32.const 5000))))
    (i32.const 0)))
