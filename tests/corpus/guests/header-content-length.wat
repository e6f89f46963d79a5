;; Sets a header with the length of the message.
;; world: request-filter
;; with: set-header
(module
  (data (i32.const 1024) "content-length\fe")
  (data (i32.const 2048) "0\fe"))
