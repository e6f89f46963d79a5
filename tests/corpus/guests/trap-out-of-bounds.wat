;; Reads behind the end of its memory.
;; world: authorizer
(module
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (i32.load (i32.const -4))))
