;; Lines with every control character, to break out of its own line of the log.
;; world: authorizer
(module
  (import "gatehouse:plugin/log@0.1.0" "write" (func $write (param i32 i32 i32)))
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (local $n i32)
    (loop $next
      (i32.store8 (i32.add (i32.const 1024) (local.get $n)) (local.get $n))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $n) (i32.const 128))))
    (call $write (i32.const 4) (i32.const 1024) (i32.const 128))
    (i32.const 0)))
