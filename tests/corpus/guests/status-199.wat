;; Answers with the status 199.
;; world: request-filter
;; with: respond
(module
  (global $status i32 (i32.const 199))
  (data (i32.const 2048) "\fe"))
