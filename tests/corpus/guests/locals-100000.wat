;; A function with a hundred thousand locals.
;; world: authorizer
(module
  (func $many
  ;; repeat 100000: (local i64)
  )
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (i32.const 0)))
