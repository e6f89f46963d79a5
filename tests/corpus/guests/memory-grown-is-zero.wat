;; Traps if memory that it grows by has anything of anybody; leaves it dirty.
;; world: request-filter
(module
  (func (export "gatehouse:plugin/request-filter@0.1.0#on-request") (result i32)
    (local $at i32)
    (drop (memory.grow (i32.const 64)))
    (local.set $at (i32.const 131072))
    (loop $next
      (if (i64.ne (i64.load (local.get $at)) (i64.const 0)) (then unreachable))
      (i64.store (local.get $at) (i64.const 0x5ec2e75ec2e7))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $next (i32.lt_u (local.get $at) (i32.const 4325376))))
    (i32.const 0)))
