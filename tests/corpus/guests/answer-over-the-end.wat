;; Its answer begins in its memory and ends behind it.
;; world: request-filter
(module
  (func (export "gatehouse:plugin/request-filter@0.1.0#on-request") (result i32)
    (i32.sub (i32.shl (memory.size) (i32.const 16)) (i32.const 4))))
