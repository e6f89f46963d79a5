;; Traps if its memory has what an earlier request wrote.
;; world: authorizer
(module
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (if (i32.load (i32.const 65528)) (then unreachable))
    (i32.store (i32.const 65528) (i32.const 0x5ec2e7))
    (i32.const 0)))
