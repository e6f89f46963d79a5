;; How many bytes there are before the next 0xFE, which no text has.
(func $length (param $at i32) (result i32) (local $length i32)
  (block $end (loop $next
    (br_if $end (i32.eq (i32.load8_u (i32.add (local.get $at) (local.get $length))) (i32.const 0xfe)))
    (local.set $length (i32.add (local.get $length) (i32.const 1)))
    (br $next)))
  (local.get $length))
