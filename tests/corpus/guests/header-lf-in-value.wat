;; Sets a header with a bare line feed.
;; world: request-filter
;; with: set-header
(module
  (data (i32.const 1024) "x-a\fe")
  (data (i32.const 2048) "1\0a2\fe"))
