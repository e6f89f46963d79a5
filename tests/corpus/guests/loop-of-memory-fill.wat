;; A loop of instructions that take long each and that nothing interrupts.
;; world: authorizer
(module
  (memory (export "memory") 256)
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (loop $again
      (memory.fill (i32.const 0) (i32.const 1) (i32.const 16777216))
      (br $again))
    unreachable))
