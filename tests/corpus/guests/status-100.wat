;; Answers with the status 100.
;; world: request-filter
;; with: respond
(module
  (global $status i32 (i32.const 100))
  (data (i32.const 2048) "\fe"))
