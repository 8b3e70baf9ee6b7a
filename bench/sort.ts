// Sorts numbers: quicksort with insertion sort for short ranges, heap sort, and a merge sort of records by key.

import { EMPTY, mix } from './lib/hash';
import { random, seed } from './lib/random';

const LENGTH: i32 = 20000;
const SHORT: i32 = 12;
const keys = new StaticArray<i32>(LENGTH);
const records = new StaticArray<u64>(LENGTH);
const spare = new StaticArray<u64>(LENGTH);

function insertionSort(from: i32, to: i32): void {
  for (let i = from + 1; i <= to; i++) {
    const key = keys[i];
    let j = i - 1;
    while (j >= from && keys[j] > key) {
      keys[j + 1] = keys[j];
      j--;
    }
    keys[j + 1] = key;
  }
}

function quickSort(from: i32, to: i32): void {
  while (to - from > SHORT) {
    const pivot = keys[(from + to) >> 1];
    let i = from;
    let j = to;
    while (i <= j) {
      while (keys[i] < pivot) i++;
      while (keys[j] > pivot) j--;
      if (i > j) break;
      const key = keys[i];
      keys[i++] = keys[j];
      keys[j--] = key;
    }
    quickSort(from, j);
    from = i;
  }
  insertionSort(from, to);
}

function siftDown(root: i32, length: i32): void {
  const key = keys[root];
  for (let child = 2 * root + 1; child < length; child = 2 * root + 1) {
    if (child + 1 < length && keys[child] < keys[child + 1]) child++;
    if (keys[child] <= key) break;
    keys[root] = keys[child];
    root = child;
  }
  keys[root] = key;
}

function heapSort(): void {
  for (let root = LENGTH / 2 - 1; root >= 0; root--) siftDown(root, LENGTH);
  for (let last = LENGTH - 1; last > 0; last--) {
    const key = keys[0];
    keys[0] = keys[last];
    keys[last] = key;
    siftDown(0, last);
  }
}

function merge(from: i32, middle: i32, to: i32): void {
  let i = from;
  let j = middle;
  for (let k = from; k < to; k++) {
    const left = j >= to || (i < middle && records[i] >> 32 <= records[j] >> 32);
    spare[k] = left ? records[i++] : records[j++];
  }
  for (let k = from; k < to; k++) records[k] = spare[k];
}

function mergeSort(): void {
  for (let run = 1; run < LENGTH; run *= 2)
    for (let from = 0; from + run < LENGTH; from += 2 * run)
      merge(from, from + run, min(from + 2 * run, LENGTH));
}

export function run(count: u32): u64 {
  seed(5);
  let hash = EMPTY;
  for (let round: u32 = 0; round < count; round++) {
    for (let i = 0; i < LENGTH; i++) keys[i] = random();
    quickSort(0, LENGTH - 1);
    hash = mix(hash, keys[LENGTH / 3]);
    for (let i = 0; i < LENGTH; i++) keys[i] = random() % 1000;
    heapSort();
    hash = mix(hash, keys[LENGTH / 2]);
    for (let i = 0; i < LENGTH; i++) records[i] = ((<u64>(random() % 5000)) << 32) | i;
    mergeSort();
    for (let i = 0; i < LENGTH; i += 100) hash = mix(hash, records[i]);
  }
  return hash;
}
