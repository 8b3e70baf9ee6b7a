// Places of code in a function that a source map says little of.

import { expect, test } from 'vitest';
import { Locations } from '../../build/ir/locations.ts';
import { Places } from '../../build/object/places.ts';
import { parseSourceMap } from '../../build/object/sourcemap.ts';
import { decode } from '../../build/wasm/decode.ts';
import { wat } from '../wasm/wat.ts';

const BYTES = 400_000;

/** Each look went back to the function's start byte by byte: 80 billion steps. */
test('a large function without places', () => {
  const bytes = wat(`(module (func ${'nop '.repeat(BYTES)}))`);
  const module = decode(bytes);
  const map = parseSourceMap('{ "version": 3, "sources": ["a.ts"], "mappings": "A" }', 'map');
  const places = new Places(module, new Locations(), map);
  const { start, end } = module.funcs[0].body!;
  for (let at = start; at < end; at++) places.placeOf(at, start);
  expect(places.placeOf(end - 1, start)).toEqual({});
  expect(end - start).toBeGreaterThan(BYTES);
});
