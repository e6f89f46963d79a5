;; Sets a header with NUL.
;; world: request-filter
;; with: set-header
(module
  (data (i32.const 1024) "x-a\fe")
  (data (i32.const 2048) "1\002\fe"))
