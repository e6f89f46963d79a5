;; Answers with the status 101.
;; world: request-filter
;; with: respond
(module
  (global $status i32 (i32.const 101))
  (data (i32.const 2048) "\fe"))
