;; Compiled code, as the cache has it, in place of a component.
;; before: ELF and compiled code
