;; An index plus a constant wraps; with the constant in the displacement it would not (found with a fault put into
;; the folding of addresses).
(module
  (memory 1)
  (func
    (export "p51")
    (result i64)
    (local $v5 i32)
    (local $v6 i32)
    (local.set $v5 (call $p51_1 (f64.const 0) (f64.const 0) (i64.const 0)))
    (local.set $v6 (i32.load16_u offset=8 (i32.add (local.get $v5) (i32.const -1))))
    (i64.const 24465997302724))
  (func $p51_1 (param f64) (param f64) (param i64) (result i32) (local $v4 i32) (local.get $v4)))
