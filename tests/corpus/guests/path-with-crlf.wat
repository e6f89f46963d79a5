;; Gives the request a path with a line break.
;; world: request-filter
(module
  (data (i32.const 2048) "/a HTTP/1.1\0d\0ax-b: 2\fe")
  (func (export "gatehouse:plugin/request-filter@0.1.0#on-request") (result i32)
    (i32.store (i32.const 4) (i32.const 1))
    (i32.store (i32.const 20) (i32.const 1))
    (i32.store (i32.const 24) (i32.const 2048))
    (i32.store (i32.const 28) (call $length (i32.const 2048)))
    (i32.const 0)))
