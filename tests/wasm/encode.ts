// Puts together modules byte by byte, for what the text format cannot say or is too slow to parse.

export function leb(n: number): number[] {
  const out: number[] = [];
  let rest = n;
  for (;;) {
    const byte = rest % 128;
    rest = Math.floor(rest / 128);
    if (rest === 0) return [...out, byte];
    out.push(byte | 0x80);
  }
}

export function section(id: number, content: number[]): number[] {
  return [id, ...leb(content.length), ...content];
}

export function vec(items: number[][]): number[] {
  return [...leb(items.length), ...items.flat()];
}

export const HEADER = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];

export function file(...sections: number[][]): Uint8Array {
  return Uint8Array.from([...HEADER, ...sections.flat()]);
}

export function body(locals: [count: number, type: number][], code: number[]): number[] {
  const content = [...vec(locals.map(([n, type]) => [...leb(n), type])), ...code, 0x0b];
  return [...leb(content.length), ...content];
}

/** A module with one function (param i32) and a mutable i32 global. */
export function oneFunction(locals: [count: number, type: number][], code: number[]): Uint8Array {
  return file(
    section(1, [1, 0x60, 1, 0x7f, 0]),
    section(3, [1, 0]),
    section(6, [1, 0x7f, 1, 0x41, 0, 0x0b]),
    section(10, vec([body(locals, code)])),
  );
}
