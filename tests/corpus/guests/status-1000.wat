;; Answers with the status 1000.
;; world: request-filter
;; with: respond
(module
  (global $status i32 (i32.const 1000))
  (data (i32.const 2048) "\fe"))
