;; Answers with the status 65535.
;; world: request-filter
;; with: respond
(module
  (global $status i32 (i32.const 65535))
  (data (i32.const 2048) "\fe"))
