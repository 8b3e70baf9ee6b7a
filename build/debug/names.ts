// Names of functions as a debugger wants them. asc calls a method kernel/virtio/queue/Virtqueue#add, where the path is the
// file's and an instance of a generic class has its types' paths too; a debugger reads C++, so that is Virtqueue::add.

export interface QualifiedName {
  /** The class; undefined: none. */
  scope?: string;
  name: string;
}

export function qualifiedName(name: string): QualifiedName {
  if (name.includes('::')) return { name };
  const plain = name.replaceAll(/(?:[\w~.-]+\/)+/g, '');
  const [, scope, member] = /^([^#.]+)[#.](.+)$/.exec(plain) ?? [];
  return scope === undefined
    ? { name: identifier(plain) }
    : { scope: identifier(scope), name: identifier(member) };
}

/** Accessors (get:size), stubs (add@override) and closures (run~anonymous|0) have characters that no identifier has. */
function identifier(text: string): string {
  return text.replaceAll(/[^\w<>,$]/g, '$');
}
