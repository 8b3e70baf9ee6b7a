// Text to binary for tests, by wabt with every feature on that yaos supports (and those that it refuses).

import wabtModule from 'wabt';

const wabt = await wabtModule();

export function wat(source: string, name = 'test.wat'): Uint8Array {
  const module = wabt.parseWat(name, source, {
    exceptions: true,
    mutable_globals: true,
    sat_float_to_int: true,
    sign_extension: true,
    simd: true,
    threads: true,
    multi_value: true,
    tail_call: true,
    bulk_memory: true,
    reference_types: true,
    extended_const: true,
    memory64: true,
  });
  try {
    return module.toBinary({ write_debug_names: true }).buffer;
  } finally {
    module.destroy();
  }
}
