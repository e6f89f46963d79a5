;; Answers with the status 99.
;; world: request-filter
;; with: respond
(module
  (global $status i32 (i32.const 99))
  (data (i32.const 2048) "\fe"))
