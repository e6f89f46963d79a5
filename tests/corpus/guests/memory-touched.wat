;; Takes 48 MiB and writes to each page, in each request.
;; world: request-filter
(module
  (func (export "gatehouse:plugin/request-filter@0.1.0#on-request") (result i32)
    (local $at i32)
    (drop (memory.grow (i32.const 768)))
    (loop $next
      (i32.store (local.get $at) (i32.const 0))
      (local.set $at (i32.add (local.get $at) (i32.const 4096)))
      (br_if $next (i32.lt_u (local.get $at) (i32.const 50331648))))
    (i32.const 0)))
