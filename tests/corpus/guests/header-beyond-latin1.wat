;; Sets a header with a character that is no byte.
;; world: request-filter
;; with: set-header
(module
  (data (i32.const 1024) "x-a\fe")
  (data (i32.const 2048) "\c4\80\fe"))
