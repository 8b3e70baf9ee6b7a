;; Modules that import from one another: what they share, whose state a function sees, and what a failed start leaves behind.

(module $counter
  (global $count (export "count") (mut i32) (i32.const 10))
  (global (export "limit") i32 (i32.const 3))
  (memory (export "memory") 1 3)
  (data (i32.const 0) "counter")
  (table $t (export "table") 6 funcref)
  (func $next (export "next") (result i32)
    (global.set $count (i32.add (global.get $count) (i32.const 1)))
    (global.get $count))
  (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "call") (param i32) (result i32) (call_indirect (result i32) (local.get 0)))
  (func (export "grow") (result i32) (memory.grow (i32.const 1)))
  (elem (i32.const 0) $next))
(register "counter" $counter)

(module $user
  (import "counter" "next" (func $next (result i32)))
  (import "counter" "count" (global $count (mut i32)))
  (import "counter" "limit" (global $limit i32))
  (import "counter" "memory" (memory 1))
  (import "counter" "table" (table 2 funcref))
  (import "spectest" "print_i32" (func $print (param i32)))
  (global $own (mut i32) (i32.const 100))
  (global (export "sum") i32 (i32.add (global.get $limit) (i32.const 4)))
  (func $step (result i32) (global.set $own (i32.sub (global.get $own) (i32.const 1))) (global.get $own))
  (elem (i32.const 1) $step $next)
  (data (i32.const 3) "USE")
  (func (export "twice") (result i32) (call $print (global.get $count)) (i32.add (call $next) (call $next)))
  (func (export "set") (param i32) (global.set $count (local.get 0)))
  (func (export "size") (result i32) (memory.size))
  (func (export "call") (param i32) (result i32) (call_indirect (result i32) (local.get 0))))

(assert_return (get "sum") (i32.const 7))
(assert_return (invoke "twice") (i32.const 23))
(assert_return (get $counter "count") (i32.const 12))
(invoke "set" (i32.const 40))
(assert_return (invoke $counter "next") (i32.const 41))
(assert_return (invoke $counter "load" (i32.const 0)) (i32.const 99))
(assert_return (invoke $counter "load" (i32.const 3)) (i32.const 85))
;; A function of the table runs with its own module's globals, whoever calls it.
(assert_return (invoke $counter "call" (i32.const 1)) (i32.const 99))
(assert_return (invoke $user "call" (i32.const 1)) (i32.const 98))
(assert_return (invoke $user "call" (i32.const 0)) (i32.const 42))
(assert_return (invoke $counter "call" (i32.const 2)) (i32.const 43))
(assert_trap (invoke $user "call" (i32.const 3)) "uninitialized element")
(assert_trap (invoke $counter "call" (i32.const 6)) "undefined element")
(assert_return (invoke $counter "grow") (i32.const 1))
(assert_return (invoke $user "size") (i32.const 2))

;; What does not fit.
(assert_unlinkable (module (import "counter" "none" (func))) "unknown import")
(assert_unlinkable (module (import "nobody" "next" (func))) "unknown import")
(assert_unlinkable (module (import "counter" "next" (func (param i32) (result i32)))) "incompatible import type")
(assert_unlinkable (module (import "counter" "next" (global i32))) "incompatible import type")
(assert_unlinkable (module (import "counter" "count" (global i32))) "incompatible import type")
(assert_unlinkable (module (import "counter" "limit" (global i64))) "incompatible import type")
(assert_unlinkable (module (import "counter" "memory" (memory 3))) "incompatible import type")
(assert_unlinkable (module (import "counter" "memory" (memory 1 2))) "incompatible import type")
(assert_unlinkable (module (import "counter" "table" (table 7 funcref))) "incompatible import type")
(assert_unlinkable (module (import "counter" "table" (table 6 externref))) "incompatible import type")
(assert_unlinkable (module (import "spectest" "print_i32" (func (param f32)))) "incompatible import type")
(assert_unlinkable (module (import "spectest" "global_i32" (global (mut i32)))) "incompatible import type")

;; Nothing is written before all is linked; a trap at the start leaves what was written before it.
(assert_unlinkable
  (module
    (import "counter" "memory" (memory 1))
    (import "counter" "none" (func))
    (data (i32.const 0) "X"))
  "unknown import")
(assert_return (invoke $counter "load" (i32.const 0)) (i32.const 99))
(assert_trap
  (module
    (import "counter" "memory" (memory 1))
    (import "counter" "table" (table 1 funcref))
    (func $left (result i32) (i32.const 77))
    (elem (i32.const 5) $left)
    (data (i32.const 0) "X")
    (data (i32.const 131072) "Y"))
  "out of bounds memory access")
(assert_return (invoke $counter "load" (i32.const 0)) (i32.const 88))
(assert_return (invoke $user "call" (i32.const 5)) (i32.const 77))
(assert_trap
  (module
    (import "counter" "next" (func $next (result i32)))
    (func $start (drop (call $next)) (unreachable))
    (start $start))
  "unreachable")
(assert_return (get $counter "count") (i32.const 44))

;; The name stands for another module from now on; who imported before keeps what he has.
(module $other (func (export "next") (result i32) (i32.const 5)))
(register "counter" $other)
(module (import "counter" "next" (func $next (result i32))) (func (export "next") (result i32) (call $next)))
(assert_return (invoke "next") (i32.const 5))
(assert_return (invoke $user "twice") (i32.const 91))
