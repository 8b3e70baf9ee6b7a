// WebAssembly as far as it is used here: TypeScript declares it only for browsers.

export interface WasmModule {
  readonly [Symbol.toStringTag]?: string;
}

export type WasmImports = Record<string, Record<string, unknown>>;

interface Namespace {
  Module: {
    new (bytes: Uint8Array): WasmModule;
    imports(module: WasmModule): { module: string; name: string; kind: string }[];
    customSections(module: WasmModule, name: string): ArrayBuffer[];
  };
  Memory: new (limits: { initial: number }) => WasmMemory;
  Instance: new (module: WasmModule, imports: WasmImports) => { exports: Record<string, unknown> };
  /** A trap. */
  RuntimeError: ErrorConstructor;
  /** An import is not there, or is something else. */
  LinkError: ErrorConstructor;
}

export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

export const wasm = (globalThis as unknown as { WebAssembly: Namespace }).WebAssembly;

export const WASM_PAGE_BYTES = 65536;
