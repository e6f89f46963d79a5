;; The text of a component in place of its bytes.
;; encode: none
(component)
