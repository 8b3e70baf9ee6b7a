// What the fuzzer changes: a module for each proposal that yaos takes, the kernel, and, for a campaign, whatever other real modules
// there are: the benchmark's, and those of a folder.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { generate } from '../fuzz/generate.ts';
import { root } from '../kernel/compile.ts';
import { wat } from '../wasm/wat.ts';
import type { Bytes } from './parts.ts';

/** By proposal. */
const SAMPLES: Record<string, string> = {
  'everything of 1.0': `(module (type $t (func (param i32) (result i32)))
    (import "m" "f" (func $f (param i32 f64) (result i32))) (import "m" "g" (global $g i32))
    (memory (export "memory") 1 3) (table (export "table") 4 8 funcref) (elem (i32.const 1) $a $b) (data (i32.const 16) "data\\00\\ff")
    (global $h (mut i64) (i64.const -1)) (global $x (mut f32) (f32.const nan:0x200000)) (start $s)
    (func $a (export "a") (param i32) (result i32) (local i64 f32)
      (loop $l (result i32) (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
        (br_if $l (i32.eqz (local.get 0))) (i32.load offset=4 align=1 (local.get 0))))
    (func $b (type $t) (block $c (block $d (br_table $d $c $d (local.get 0))) (return (call $f (i32.const 1) (f64.const 2))))
      (if (result i32) (local.get 0) (then (call_indirect (type $t) (i32.const 3) (local.get 0))) (else (select (i32.const 1) (global.get $g) (local.get 0)))))
    (func $s (global.set $h (i64.extend_i32_u (memory.grow (i32.const 1))))
      (f64.store (i32.const 8) (f64.promote_f32 (global.get $x))) (i64.store16 (memory.size) (i64.rotl (global.get $h) (i64.const 3)))))`,
  'multi-value': `(module (type $t (func (param i32 i64) (result i64 i32)))
    (func $swap (export "swap") (type $t) (local.get 1) (local.get 0))
    (func (export "many") (param i32) (result i32 i64 f32 f64 i32 i64 f32 f64 i32)
      (local.get 0) (i64.const 1) (call $swap) (drop) (drop)
      (local.get 0) (i64.const 2) (block (type $t) (call $swap) (i32.wrap_i64 (i64.const 3)) (drop) (drop) (i64.const 5) (br 0 (i64.const 4) (i32.const 1)))
      (drop) (drop) (loop (param) (result i32) (i32.const 1)) (i64.const 1) (f32.const 1) (f64.const 1) (i32.const 1) (i64.const 1) (f32.const 1) (f64.const 1) (i32.const 1)))`,
  'sign extension, saturating conversions': `(module (func (export "f") (param i32 i64 f32 f64) (result i64)
    (i64.add (i64.extend8_s (local.get 1)) (i64.extend_i32_s (i32.extend16_s (i32.add (i32.trunc_sat_f32_u (local.get 2))
      (i32.trunc_sat_f64_s (local.get 3)))))) (i64.extend32_s (i64.trunc_sat_f64_u (local.get 3))) (i64.mul)))`,
  'bulk memory': `(module (memory 1) (data $d "bytes") (data (i32.const 0) "x") (table 8 funcref) (elem $e func $f $f) (elem declare func $f)
    (func $f (export "f") (param i32 i32 i32)
      (memory.init $d (local.get 0) (local.get 1) (local.get 2)) (data.drop $d) (memory.copy (local.get 0) (local.get 1) (i32.const 16))
      (memory.fill (local.get 0) (i32.const 7) (local.get 2)) (table.init $e (local.get 0) (local.get 1) (local.get 2)) (elem.drop $e)
      (table.copy (local.get 0) (local.get 1) (local.get 2))))`,
  'reference types': `(module (table $t 2 10 externref) (table $u 3 funcref) (global $g (mut externref) (ref.null extern)) (elem (table $u) (i32.const 0) funcref (ref.func $f) (ref.null func))
    (func $f (export "f") (param externref i32) (result externref)
      (table.set $t (local.get 1) (local.get 0)) (drop (table.grow $t (local.get 0) (i32.const 1))) (table.fill $t (i32.const 0) (global.get $g) (table.size $t))
      (table.copy $u $u (i32.const 0) (i32.const 1) (i32.const 1)) (global.set $g (table.get $t (i32.const 0)))
      (drop (ref.is_null (ref.func $f))) (select (result externref) (local.get 0) (global.get $g) (local.get 1))))`,
  'extended constants': `(module (import "m" "g" (global $g i32)) (import "m" "h" (global $h i64)) (memory 1) (table 20 funcref)
    (global i32 (i32.add (global.get $g) (i32.mul (i32.const 4) (i32.const 5)))) (global i64 (i64.sub (global.get $h) (i64.const 9)))
    (data (i32.add (global.get $g) (i32.const 8)) "there") (elem (offset (i32.sub (i32.const 9) (i32.const 2))) $f) (func $f))`,
  'tail calls': `(module (type $t (func (param i32 i64) (result i64))) (table 2 funcref) (elem (i32.const 0) $f $g)
    (func $f (export "f") (type $t) (if (result i64) (local.get 0) (then (return_call $g (i32.sub (local.get 0) (i32.const 1)) (local.get 1))) (else (local.get 1))))
    (func $g (type $t) (return_call_indirect (type $t) (local.get 0) (i64.mul (local.get 1) (i64.const 3)) (i32.const 0)))
    (func (export "more") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i64) (return_call $f (local.get 7) (i64.const 1))))`,
  threads: `(module (memory 1 4 shared) (func (export "f") (param i32 i64) (result i64)
      (drop (i32.atomic.rmw.cmpxchg (local.get 0) (i32.const 1) (i32.const 2))) (i64.atomic.store32 (local.get 0) (local.get 1)) (atomic.fence)
      (drop (memory.atomic.wait32 (local.get 0) (i32.const 0) (i64.const 10))) (drop (memory.atomic.notify (local.get 0) (i32.const 1)))
      (i64.atomic.rmw8.xchg_u offset=3 (local.get 0) (i64.atomic.rmw.sub (i32.const 8) (i64.atomic.load (local.get 0))))))`,
  'machine intrinsics': `(module (import "x86" "in8" (func $in (param i32) (result i32))) (import "x86" "rdmsr" (func $rdmsr (param i32) (result i64)))
    (import "x86" "store32" (func $store (param i32 i32))) (import "x86" "sti_hlt" (func $hlt)) (import "x86" "map" (func $map (param i32 i64 i32 i32) (result i32)))
    (memory 128 160) (func (export "kmain") (param i32 i32) (call $store (call $in (local.get 0)) (local.get 1)) (call $hlt)
      (drop (call $map (local.get 0) (call $rdmsr (i32.const 27)) (i32.const 4096) (i32.const 1)))))`,
};

/** Modules of some kilobytes at most, which are changed thousands of times a minute. */
export function smallModules(): Bytes[] {
  const samples = Object.entries(SAMPLES).map(([name, text]) => wat(text, name));
  return [...samples, ...[3, 5, 8].map((seed) => wat(generate(seed, seed + 1)))];
}

/** Real ones. */
export function largeModules(folder = ''): Bytes[] {
  const bench = join(root, 'out/bench');
  const programs = existsSync(bench)
    ? readdirSync(bench).map((name) => join(bench, name, 'module.wasm'))
    : [];
  const others = folder ? readdirSync(folder).map((name) => join(folder, name)) : [];
  const files = [join(root, 'out/kernel.wasm'), ...programs, ...others];
  return files.filter((file) => file.endsWith('.wasm') && existsSync(file)).map((file) => readFileSync(file));
}
