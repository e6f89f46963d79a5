;; Answers with `$status` and the body at 2048.
(func (export "gatehouse:plugin/request-filter@0.1.0#on-request") (result i32)
  (i32.store (i32.const 4) (i32.const 2))
  (i32.store16 (i32.const 8) (global.get $status))
  (i32.store (i32.const 20) (i32.const 2048))
  (i32.store (i32.const 24) (call $length (i32.const 2048)))
  (i32.const 0))
