;; Forty thousand headers, each with a name of its own.
;; world: request-filter
(module
  (func (export "gatehouse:plugin/request-filter@0.1.0#on-request") (result i32)
    (local $n i32) (local $at i32) (local $digit i32) (local $rest i32)
    (drop (memory.grow (i32.const 20)))
    (loop $next
      (local.set $at (i32.add (i32.const 65536) (i32.mul (local.get $n) (i32.const 20))))
      ;; The name is eight letters at the end of this memory, and the value is empty.
      (i32.store offset=4 (local.get $at) (i32.add (i32.const 900000) (i32.shl (local.get $n) (i32.const 3))))
      (i32.store offset=8 (local.get $at) (i32.const 8))
      (i32.store offset=12 (local.get $at) (i32.const 0))
      (local.set $rest (local.get $n))
      (local.set $digit (i32.const 0))
      (loop $letter
        (i32.store8 (i32.add (i32.add (i32.const 900000) (i32.shl (local.get $n) (i32.const 3))) (local.get $digit))
          (i32.add (i32.const 97) (i32.and (local.get $rest) (i32.const 15))))
        (local.set $rest (i32.shr_u (local.get $rest) (i32.const 4)))
        (local.set $digit (i32.add (local.get $digit) (i32.const 1)))
        (br_if $letter (i32.lt_u (local.get $digit) (i32.const 8))))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $n) (i32.const 40000))))
    (i32.store (i32.const 4) (i32.const 1))
    (i32.store (i32.const 44) (i32.const 65536))
    (i32.store (i32.const 48) (i32.const 40000))
    (i32.const 0)))
