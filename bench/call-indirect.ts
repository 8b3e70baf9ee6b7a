// Calls through the table: function values in an array, virtual methods of a class hierarchy, and a comparison passed
// to a sort.

import { EMPTY, mix } from './lib/hash';
import { random, seed } from './lib/random';

type Operation = (a: u32, b: u32) => u32;

const operations: Operation[] = [
  (a: u32, b: u32): u32 => a + b,
  (a: u32, b: u32): u32 => a - b,
  (a: u32, b: u32): u32 => a ^ b,
  (a: u32, b: u32): u32 => a * (b | 1),
  (a: u32, b: u32): u32 => rotl(a, b),
  (a: u32, b: u32): u32 => (a > b ? a : b),
  (a: u32, b: u32): u32 => (a & b) + 1,
  (a: u32, b: u32): u32 => ~a | b,
];

abstract class Shape {
  abstract area(): u32;
  abstract grow(by: u32): void;
}

class Square extends Shape {
  constructor(private side: u32) {
    super();
  }
  area(): u32 {
    return this.side * this.side;
  }
  grow(by: u32): void {
    this.side = (this.side + by) & 255;
  }
}

class Box extends Shape {
  constructor(
    private width: u32,
    private height: u32,
  ) {
    super();
  }
  area(): u32 {
    return this.width * this.height;
  }
  grow(by: u32): void {
    this.width = (this.width ^ by) & 127;
  }
}

class Line extends Shape {
  private length: u32 = 1;
  area(): u32 {
    return 0;
  }
  grow(by: u32): void {
    this.length += by;
  }
}

function makeShapes(): Shape[] {
  const shapes: Shape[] = [];
  for (let i: u32 = 0; i < 64; i++) {
    if (i % 3 === 0) shapes.push(new Square(i));
    else if (i % 3 === 1) shapes.push(new Box(i, i + 3));
    else shapes.push(new Line());
  }
  return shapes;
}

const order = new StaticArray<i32>(256);

function sortBy(compare: (a: i32, b: i32) => i32): void {
  for (let i = 1; i < order.length; i++) {
    const key = order[i];
    let j = i - 1;
    while (j >= 0 && compare(order[j], key) > 0) {
      order[j + 1] = order[j];
      j--;
    }
    order[j + 1] = key;
  }
}

export function run(count: u32): u64 {
  seed(29);
  const shapes = makeShapes();
  let hash = EMPTY;
  let value: u32 = 1;
  for (let round: u32 = 0; round < count; round++) {
    for (let i: u32 = 0; i < 4096; i++) value = operations[random() & 7](value, i);
    let sum: u32 = 0;
    for (let i = 0; i < shapes.length; i++) {
      shapes[i].grow(value & 15);
      sum += shapes[i].area() & 1;
    }
    for (let i = 0; i < order.length; i++) order[i] = random() & 0xffff;
    sortBy((a, b) => a - b);
    sortBy((a, b) => (b & 255) - (a & 255));
    hash = mix(mix(hash, value + sum), order[100]);
  }
  return hash;
}
