;; A chunk filter of responses that never ends with its first piece.
;; world: response-chunk-filter
(module
  (func (export "gatehouse:plugin/response-chunk-filter@0.1.0#on-response-chunk") (param $chunk i32) (param $size i32) (param $last i32) (result i32)
    (loop $again (br $again))
    unreachable))
