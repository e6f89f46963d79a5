;; Sets a header with an empty name.
;; world: request-filter
;; with: set-header
(module
  (data (i32.const 1024) "\fe")
  (data (i32.const 2048) "1\fe"))
