// Node's WebAssembly, as far as the tests use it: TypeScript declares it only for browsers.

export type Exports = Record<string, unknown>;

interface Engine {
  validate(bytes: Uint8Array): boolean;
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { exports: Exports };
  Global: new (type: { value: string; mutable?: boolean }, value: unknown) => { value: unknown };
  Table: new (limits: { element: string; initial: number; maximum: number }) => object;
  Memory: new (limits: { initial: number; maximum: number; shared?: boolean }) => object;
  CompileError: new () => Error;
  LinkError: new () => Error;
  RuntimeError: new () => Error;
}

export const engine = (globalThis as unknown as { WebAssembly: Engine }).WebAssembly;
