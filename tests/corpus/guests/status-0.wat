;; Answers with the status 0.
;; world: request-filter
;; with: respond
(module
  (global $status i32 (i32.const 0))
  (data (i32.const 2048) "\fe"))
