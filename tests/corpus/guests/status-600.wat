;; Answers with the status 600.
;; world: request-filter
;; with: respond
(module
  (global $status i32 (i32.const 600))
  (data (i32.const 2048) "\fe"))
