;; Sets a header with another host.
;; world: request-filter
;; with: set-header
(module
  (data (i32.const 1024) "host\fe")
  (data (i32.const 2048) "other.test\fe"))
