;; A million types and one, more than there may be.
(component
  (core module
    ;; repeat 1000001: (type (func))
  ))
