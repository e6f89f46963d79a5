;; Blocks in blocks, twenty thousand deep.
;; world: authorizer
(module
  (func $deep
  ;; repeat 20000: block
  ;; repeat 20000: end
  )
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (i32.const 0)))
