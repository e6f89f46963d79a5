;; A thousand core instances.
(component
  (core module $code (func (export "f")))
  ;; repeat 1000: (core instance (instantiate $code))
  (core module $hook (func (export "authorize") (result i32) (i32.const 0)) (memory (export "memory") 1))
  (core instance $it (instantiate $hook)))
