;; Messages of 1 MiB to the log, without end.
;; world: request-filter
(module
  (import "gatehouse:plugin/log@0.1.0" "write" (func $write (param i32 i32 i32)))
  (func (export "gatehouse:plugin/request-filter@0.1.0#on-request") (result i32)
    (drop (memory.grow (i32.const 32)))
    (memory.fill (i32.const 131072) (i32.const 97) (i32.const 1048576))
    (loop $again
      (call $write (i32.const 2) (i32.const 131072) (i32.const 1048576))
      (br $again))
    unreachable))
