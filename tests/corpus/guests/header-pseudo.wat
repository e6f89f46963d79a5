;; Sets a header with the name of a pseudo-header.
;; world: request-filter
;; with: set-header
(module
  (data (i32.const 1024) ":path\fe")
  (data (i32.const 2048) "/other\fe"))
