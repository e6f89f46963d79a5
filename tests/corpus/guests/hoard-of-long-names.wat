;; Asks for headers with names of 1 MiB, a thousand times.
;; world: authorizer
(module
    (import "gatehouse:plugin/request@0.1.0" "header" (func $header (param i32 i32 i32)))
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (drop (memory.grow (i32.const 32)))
    (memory.fill (i32.const 131072) (i32.const 97) (i32.const 1048576))
    (loop $again
      (call $header (i32.const 131072) (i32.const 1048576) (i32.const 16))
      (br $again))
    unreachable))
