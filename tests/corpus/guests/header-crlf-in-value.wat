;; Sets a header with the start of another header.
;; world: request-filter
;; with: set-header
(module
  (data (i32.const 1024) "x-a\fe")
  (data (i32.const 2048) "1\0d\0ax-b: 2\fe"))
