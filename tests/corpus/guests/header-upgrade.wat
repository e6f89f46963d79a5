;; Sets a header with another protocol.
;; world: request-filter
;; with: set-header
(module
  (data (i32.const 1024) "upgrade\fe")
  (data (i32.const 2048) "h2c\fe"))
