;; A file without a byte.
;; truncate: 0
(component)
