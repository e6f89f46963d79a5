;; An authorizer that reads nine thousand headers, which the verdict cache would have to note.
;; world: authorizer
(module
  (import "gatehouse:plugin/request@0.1.0" "header" (func $header (param i32 i32 i32)))
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (local $n i32)
    (loop $next
      ;; Another name each time: its first eight letters are of the number.
      (i32.store (i32.const 1024) (i32.add (i32.const 0x61616161) (i32.and (local.get $n) (i32.const 0x0f0f0f0f))))
      (i32.store (i32.const 1028) (i32.add (i32.const 0x61616161) (i32.and (i32.shr_u (local.get $n) (i32.const 4)) (i32.const 0x0f0f0f0f))))
      (call $header (i32.const 1024) (i32.const 8) (i32.const 16))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $n) (i32.const 9000))))
    (i32.const 0)))
