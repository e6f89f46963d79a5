;; A header of 10 MiB.
;; world: request-filter
(module
  (data (i32.const 1024) "x-a")
  (func (export "gatehouse:plugin/request-filter@0.1.0#on-request") (result i32)
    (drop (memory.grow (i32.const 170)))
    (memory.fill (i32.const 131072) (i32.const 97) (i32.const 10485760))
    (i32.store (i32.const 4) (i32.const 1))
    (i32.store (i32.const 44) (i32.const 512))
    (i32.store (i32.const 48) (i32.const 1))
    (i32.store (i32.const 516) (i32.const 1024))
    (i32.store (i32.const 520) (i32.const 3))
    (i32.store (i32.const 524) (i32.const 131072))
    (i32.store (i32.const 528) (i32.const 10485760))
    (i32.const 0)))
