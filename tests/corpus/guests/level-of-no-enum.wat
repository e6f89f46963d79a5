;; Asks for a level of the log that there is not.
;; world: authorizer
(module
  (import "gatehouse:plugin/log@0.1.0" "enabled" (func $enabled (param i32) (result i32)))
  (func (export "gatehouse:plugin/authorizer@0.1.0#authorize") (result i32)
    (drop (call $enabled (i32.const 9)))
    (i32.const 0)))
