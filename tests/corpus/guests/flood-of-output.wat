;; Nine thousand lines of output in each request, to a pipe of its own.
;; world: authorizer
(module
  (import "gatehouse:plugin/output@0.1.0" "write-line" (func $line (param i32 i32) (result i32)))
  (data (i32.const 1024) "flood")
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (local $n i32)
    (loop $next
      (drop (call $line (i32.const 1024) (i32.const 5)))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $n) (i32.const 9000))))
    (i32.const 0)))
