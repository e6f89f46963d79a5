;; Wants to see bodies of up to 2^64 bytes.
;; world: request-body-filter
(module
  (func (export "gatehouse:plugin/request-body-filter@0.1.0#request-body-limit") (result i32)
    (i32.store8 (i32.const 16) (i32.const 1))
    (i64.store (i32.const 24) (i64.const -1))
    (i32.const 16))
  (func (export "gatehouse:plugin/request-body-filter@0.1.0#on-request-body") (param i32 i32) (result i32)
    (i32.const 0)))
