;; Sets a header with what belongs to the connection.
;; world: request-filter
;; with: set-header
(module
  (data (i32.const 1024) "connection\fe")
  (data (i32.const 2048) "upgrade\fe"))
