;; Components in components, ninety deep.
(component
  ;; repeat 90: (component
  ;; repeat 90: )
)
