;; Sets an attribute with a line break in its name.
;; world: request-filter
;; with: set-attribute
(module
  (data (i32.const 1024) "a\0d\0ab\fe")
  (data (i32.const 2048) "admin\fe"))
