;; A load numbered as if no store could come between (found with a fault put into gvn).
(module
  (memory 1)
  (global $fuel (mut i32) (i32.const 0))
  (global $i32_0 (mut i32) (i32.const 0))
  (func $p183_0
    (export "p183")
    (local $v4 i32)
    (if (i32.le_s (global.get $fuel) (i32.const 0)) (then (return)))
    (global.set $fuel (i32.sub (global.get $fuel) (i32.const 1)))
    (global.get $i32_0)
    (call $p183_0)
    (i32.store8 (global.get $i32_0))
    (global.set $i32_0 (local.get $v4)))
  (func
    (export "reset")
    (param $seed i64)
    (global.set $fuel (i32.const 40))
    (global.set $i32_0 (i32.wrap_i64 (local.get $seed))))
  (func
    (export "hash")
    (result i64)
    (local $at i32)
    (local $sum i64)
    (local.set $sum (i64.load (local.get $at)))
    (local.get $sum)))
