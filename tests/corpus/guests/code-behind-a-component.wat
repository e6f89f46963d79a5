;; A component with bytes behind it.
;; append: ELF and the rest
(component)
