;; Sets an attribute without a name.
;; world: request-filter
;; with: set-attribute
(module
  (data (i32.const 1024) "\fe")
  (data (i32.const 2048) "admin\fe"))
