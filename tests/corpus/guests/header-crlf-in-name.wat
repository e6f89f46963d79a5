;; Sets a header with a line break in its name.
;; world: request-filter
;; with: set-header
(module
  (data (i32.const 1024) "x-a\0d\0ax-b\fe")
  (data (i32.const 2048) "1\fe"))
