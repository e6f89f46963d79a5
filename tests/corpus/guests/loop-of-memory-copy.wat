;; A loop of long copies.
;; world: authorizer
(module
  (memory (export "memory") 256)
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (loop $again
      (memory.copy (i32.const 0) (i32.const 8388608) (i32.const 8388608))
      (br $again))
    unreachable))
