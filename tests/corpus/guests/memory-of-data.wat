;; Brings more data than it may have memory.
;; world: authorizer
(module
  (memory (export "memory") 32)
  ;; repeat 2000: (data (i32.const 70000) "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef{n}")
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (i32.const 0)))
