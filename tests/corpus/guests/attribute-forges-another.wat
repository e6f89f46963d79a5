;; Sets an attribute under the name of another plugin.
;; world: request-filter
;; with: set-attribute
(module
  (data (i32.const 1024) "jwt.sub\fe")
  (data (i32.const 2048) "admin\fe"))
