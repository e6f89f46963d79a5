;; It answers, and never ends cleaning up.
;; world: authorizer
(module
  (func (export "cabi_post_gatehouse:plugin/authorizer@0.1.0#authorize") (param i32)
    (loop $again (br $again)))
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (i32.const 0)))
