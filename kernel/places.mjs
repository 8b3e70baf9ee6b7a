// Leaves static data where the build before had it, as a transform of asc (asconfig.json) for a process that builds again and again.
// asc lays it out as it meets it: a new text would move all that comes later, and change the code of whatever has an address there.

import { Compiler } from 'assemblyscript';

/** Bytes between what is in use, above which all is laid out anew. */
const UNUSED_BYTES_MAX = 128 * 1024;
/** An object's header has the number of its class there, and those move too. */
const CLASS = { start: 12, end: 16 };

class Layout {
  /** Offsets of data by its content: most often one. */
  places = new Map();
  start = Number.POSITIVE_INFINITY;
  end = 0;
  used_bytes = 0;

  placesOf(content) {
    return this.places.get(content) ?? [];
  }

  add(content, offset, bytes) {
    this.places.set(content, [...this.placesOf(content), offset]);
    this.start = Math.min(this.start, offset);
    this.end = Math.max(this.end, offset + bytes);
    this.used_bytes += bytes;
  }
}

let before = new Layout();
let now = new Layout();

/** As the method `add` of asc's compiler, but for the place. */
function placing(add, contentOf) {
  return function (bytes, alignment) {
    const content = contentOf(bytes, alignment);
    const place = before.placesOf(content)[now.placesOf(content).length];
    const end = Math.max(i64_low(this.memoryOffset), before.end);
    this.memoryOffset = i64_new(place ?? end);
    const segment = add.call(this, bytes, alignment);
    now.add(content, i64_low(segment.offset), bytes.length);
    this.memoryOffset = i64_new(Math.max(end, now.end));
    return segment;
  };
}

const text = (bytes) => Buffer.from(bytes).toString('latin1');
const { addRuntimeMemorySegment, addAlignedMemorySegment } = Compiler.prototype;
Compiler.prototype.addRuntimeMemorySegment = placing(addRuntimeMemorySegment, (bytes) =>
  text(bytes.map((byte, i) => (i >= CLASS.start && i < CLASS.end ? 0 : byte))),
);
Compiler.prototype.addAlignedMemorySegment = placing(
  addAlignedMemorySegment,
  (bytes, alignment) => `${alignment} ${text(bytes)}`,
);

export default class Places {
  afterInitialize() {
    now = new Layout();
  }

  /** Not if it failed. */
  afterCompile() {
    const unused_bytes = now.end - now.start - now.used_bytes;
    before = unused_bytes > UNUSED_BYTES_MAX ? new Layout() : now;
  }
}
