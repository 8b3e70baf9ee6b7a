// AssemblyScript's compiler: the kernel's sources to a module and its source map. What it complains of is told with the line.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { complaint } from './complaint.ts';
import { UserError } from './error.ts';
import { root } from './paths.ts';

/** Imports a package: what the launcher does for code that was loaded as a script. */
export type ImportPackage = (name: string) => Promise<unknown>;

/** Not imported with its types: they declare AssemblyScript's globals, and those hide Node's. */
interface Asc {
  main(
    args: string[],
    options: {
      writeFile(name: string, contents: string | Uint8Array): void;
      reportDiagnostic(diagnostic: Diagnostic): void;
    },
  ): Promise<{ error: Error | null }>;
}

interface Diagnostic {
  code: number;
  /** 0: pedantic, 1: info, 2: warning, 3: error. */
  category: number;
  message: string;
  /** In the source's text. */
  range: { start: number; end: number; source: { normalizedPath: string } | null } | null;
}

const ENTRY = 'kernel/main.ts';
const CONFIG = 'kernel/asconfig.json';
const CATEGORIES = ['pedantic', 'info', 'warning', 'error'];

/** What it writes, by file. */
export async function runAsc(
  importPackage: ImportPackage,
  target: string,
): Promise<Map<string, string | Uint8Array>> {
  const asc = (await importPackage('assemblyscript/asc')) as Asc;
  const files = new Map<string, string | Uint8Array>();
  const told: string[] = [];
  const { error } = await asc.main([ENTRY, '--config', CONFIG, '--target', target, '--baseDir', root], {
    writeFile: (name, contents) => void files.set(name, contents),
    reportDiagnostic: (diagnostic) => void told.push(textOf(diagnostic)),
  });
  const messages = told.map((text) => `${text}\n`).join('');
  if (error !== null) throw new UserError(`${messages}yaos: ${ENTRY}: ${error.message}`);
  process.stderr.write(messages);
  return files;
}

function textOf({ code, category, message, range }: Diagnostic): string {
  const text = `${CATEGORIES[category]} ${code}: ${message}`;
  const file = range?.source?.normalizedPath;
  if (!range || file === undefined) return text;
  let before: string;
  try {
    before = readFileSync(join(root, file), 'utf8').slice(0, range.start);
  } catch {
    return `${file}: ${text}`; // one of asc's library
  }
  const line = before.split('\n').length;
  const column = before.length - before.lastIndexOf('\n');
  return complaint({ file, line, column, length: range.end - range.start }, text);
}
