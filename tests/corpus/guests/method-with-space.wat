;; Gives the request a method with a space and a version.
;; world: request-filter
(module
  (data (i32.const 2048) "GET / HTTP/1.1\fe")
  (func (export "gatehouse:plugin/request-filter@0.1.0#on-request") (result i32)
    (i32.store (i32.const 4) (i32.const 1))
    (i32.store (i32.const 8) (i32.const 1))
    (i32.store (i32.const 12) (i32.const 2048))
    (i32.store (i32.const 16) (call $length (i32.const 2048)))
    (i32.const 0)))
