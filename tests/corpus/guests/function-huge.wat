;; A function of two million instructions.
;; world: authorizer
(module
  (func $huge (param $a i64) (result i64)
  (local.get $a)
  ;; repeat 700000: (i64.const {n}) i64.add (local.get $a) i64.mul
  )
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (i32.const 0)))
