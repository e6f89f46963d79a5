;; Lets bytes of the answer go and then traps.
;; world: response-chunk-filter
(module
  (data (i32.const 2048) "gone")
  (func (export "gatehouse:plugin/response-chunk-filter@0.1.0#on-response-chunk") (param $chunk i32) (param $size i32) (param $last i32) (result i32)
    (if (local.get $last) (then
      unreachable))
    (i32.store8 (i32.const 4) (i32.const 1))
    (i32.store (i32.const 8) (i32.const 2048))
    (i32.store (i32.const 12) (i32.const 4))
    (i32.const 0)))
