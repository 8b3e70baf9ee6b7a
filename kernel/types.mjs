// Tells the translator, for debuggers, the types of variables and how objects lie in memory, as a transform of asc
// (asconfig.json): asc knows that when it has compiled, and WebAssembly does not. The custom section `yaos.types` is JSON,
// which build/wasm/source-types.ts reads. Behind the passes, which remove functions.

import { ElementKind } from 'assemblyscript';

export default class Types {
  afterCompile(module) {
    const classes = new Classes();
    const functions = {};
    for (const [name, element] of this.program.instancesByName)
      if (element.kind === ElementKind.Function && module.getFunction(name))
        functions[name] = localTypes(element, classes);
    const globals = {};
    for (const [name, element] of this.program.elementsByName)
      if (element.kind === ElementKind.Global && module.getGlobal(name))
        globals[name] = classes.nameOf(element.type);
    const json = JSON.stringify({ classes: classes.layouts, functions, globals });
    module.addCustomSection('yaos.types', new TextEncoder().encode(json));
  }
}

/** Names of locals are those in the name section: asc adds the index to one that there is already. */
function localTypes({ localsByIndex }, classes) {
  const types = {};
  for (const { name, index, type } of localsByIndex)
    if (name !== String(index)) types[name in types ? `${name}|${index}` : name] = classes.nameOf(type);
  return types;
}

class Classes {
  layouts = [];
  numbers = new Map();

  /** That of a number, or `*` and the number of the class that it refers to. */
  nameOf(type) {
    const found = type.isReference ? type.getClass() : null;
    if (!found) return type.isReference ? 'usize' : type.toString();
    if (!this.numbers.has(found)) this.add(found);
    return `*${this.numbers.get(found)}`;
  }

  add(found) {
    const { internalName: name, id, nextMemoryOffset: bytes, typeArguments } = found;
    const layout = { name, id, bytes, fields: [] };
    this.numbers.set(found, this.layouts.push(layout) - 1); // it may refer to itself
    if (name.startsWith('~lib/staticarray/')) layout.element = this.nameOf(typeArguments[0]);
    for (const member of found.members?.values() ?? []) {
      const field = member.kind === ElementKind.PropertyPrototype ? member.instance : null;
      if (field?.isField) layout.fields.push([field.name, field.memoryOffset, this.nameOf(field.type)]);
    }
  }
}
