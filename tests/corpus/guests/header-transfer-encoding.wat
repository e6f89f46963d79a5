;; Sets a header with the framing of the message.
;; world: request-filter
;; with: set-header
(module
  (data (i32.const 1024) "transfer-encoding\fe")
  (data (i32.const 2048) "chunked\fe"))
