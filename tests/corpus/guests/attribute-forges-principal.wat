;; Sets an attribute under the name of the principal.
;; world: request-filter
;; with: set-attribute
(module
  (data (i32.const 1024) "auth.principal\fe")
  (data (i32.const 2048) "admin\fe"))
