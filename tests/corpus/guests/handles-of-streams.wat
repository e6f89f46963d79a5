;; Opens standard output again and again.
;; world: authorizer
(module
  (import "wasi:cli/stdout@0.2.0" "get-stdout" (func $stdout (result i32)))
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (loop $again
      (drop (call $stdout))
      (br $again))
    unreachable))
