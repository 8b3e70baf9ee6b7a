// The translator's tables, as a panic has them after it has unpacked them (unpack.ts): functions by address, what can trap in
// them, which places in the source their addresses came from. Records one behind the other, in conventional memory.

/** In text offsets; lists go up to those of the next one. */
@unmanaged
export class FunctionRecord {
  start: u32 = 0;
  frame: u32 = 0;
  pop: u32 = 0;
  traps: u32 = 0;
  places: u32 = 0;
  /** Its own; those of what is inlined in it follow. */
  scope: u32 = 0;
}

@unmanaged
export class TrapRecord {
  offset: u32 = 0;
  kind: u32 = 0;
}

@unmanaged
export class PlaceRecord {
  /** Of the first address. */
  offset: u32 = 0;
  scope: u16 = 0;
  /** 0: not known. */
  line: u16 = 0;
}

/** A function's own code, or that of one inlined in it at one call. */
@unmanaged
export class ScopeRecord {
  symbol: u16 = 0;
  /** Scope of the call, plus 1; 0: it is not inlined. */
  caller: u16 = 0;
  callLine: u16 = 0;
  /** While it is unpacked: the last line in it. */
  lastLine: u16 = 0;
}

@unmanaged
export class SymbolRecord {
  /** Where the texts are, each with a 0 behind it. */
  name: u32 = 0;
  file: u32 = 0;
  /** While it is unpacked: the first line in it. */
  firstLine: u32 = 0;
}

class Tables {
  /** Native address that offsets count from. */
  code: u64 = 0;
  functions: u32 = 0;
  functionCount: u32 = 0;
  traps: u32 = 0;
  places: u32 = 0;
  scopes: u32 = 0;
  symbols: u32 = 0;

  functionAt(index: u32): FunctionRecord {
    return changetype<FunctionRecord>(this.functions + index * offsetof<FunctionRecord>());
  }

  trapAt(index: u32): TrapRecord {
    return changetype<TrapRecord>(this.traps + index * offsetof<TrapRecord>());
  }

  placeAt(index: u32): PlaceRecord {
    return changetype<PlaceRecord>(this.places + index * offsetof<PlaceRecord>());
  }

  scopeAt(index: u32): ScopeRecord {
    return changetype<ScopeRecord>(this.scopes + index * offsetof<ScopeRecord>());
  }

  symbolAt(index: u32): SymbolRecord {
    return changetype<SymbolRecord>(this.symbols + index * offsetof<SymbolRecord>());
  }
}

/** In static memory: nothing is allocated for a panic. */
export const tables = changetype<Tables>(memory.data(offsetof<Tables>(), 8));
