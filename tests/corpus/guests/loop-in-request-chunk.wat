;; A chunk filter that never ends with its first piece.
;; world: request-chunk-filter
(module
  (func (export "gatehouse:plugin/request-chunk-filter@0.1.0#on-request-chunk") (param $chunk i32) (param $size i32) (param $last i32) (result i32)
    (loop $again (br $again))
    unreachable))
