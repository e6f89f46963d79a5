;; A component that ends in the middle.
;; truncate: 40
(component
  (core module $code (memory (export "memory") 1) (func (export "f") (result i32) (i32.const 0)))
  (core instance (instantiate $code)))
