;; Makes 16 MiB of each piece of the answer.
;; world: response-chunk-filter
(module
  (func (export "gatehouse:plugin/response-chunk-filter@0.1.0#on-response-chunk") (param $chunk i32) (param $size i32) (param $last i32) (result i32)
    (drop (memory.grow (i32.const 258)))
    (i32.store8 (i32.const 4) (i32.const 1))
    (i32.store (i32.const 8) (i32.const 65536))
    (i32.store (i32.const 12) (i32.const 16777216))
    (i32.const 0)))
