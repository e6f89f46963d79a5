;; Recursion with a thousand values alive in each frame.
;; world: response-filter
(module
  (func $deeper (param $value i64) (result i64)
  ;; repeat 1000: (i64.mul (local.get $value) (i64.const {n}))
  (call $deeper (i64.add (local.get $value) (i64.const 1)))
  ;; repeat 1000: i64.xor
  )
  (func (export "gatehouse:plugin/response-filter@0.1.0#on-response") (result i32)
    (drop (call $deeper (i64.const 1)))
    (i32.const 0)))
