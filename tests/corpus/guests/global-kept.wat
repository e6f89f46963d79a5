;; Traps if a global is as an earlier request left it, for which it has an instance of its own.
;; world: authorizer
(module
  (global $used (mut i32) (i32.const 0))
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (if (global.get $used) (then unreachable))
    (global.set $used (i32.const 1))
    (i32.const 0)))
