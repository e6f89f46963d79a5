;; Fifty thousand functions.
;; world: authorizer
(module
  ;; repeat 50000: (func (param i32) (result i32) (i32.mul (local.get 0) (i32.const {n})))
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (i32.const 0)))
