// What `yaos compile` makes of a file, held against Node's engine: it translates what is valid, or says in one line what is not supported; what is
// not valid it refuses in one line. Nothing else may happen, and not for long.

import { createContext, Script } from 'node:vm';
import { enableFeatures } from '../../build/engine.ts';
import { type TranslateOptions, translate } from '../../build/translate.ts';
import { WasmError } from '../../build/wasm/module.ts';
import { UnsupportedError } from '../../build/wasm/types.ts';
import { engine } from '../translator/engine.ts';

export interface Finding {
  kind: 'crash' | 'hang' | 'memory' | 'accepted' | 'refused' | 'message';
  message: string;
}

export interface Verdict {
  outcome: 'compiled' | 'invalid' | 'unsupported';
  finding?: Finding;
}

/** Bounds: so much, and so much for each MiB of the file. A loaded machine is many times slower than these need. */
const TIME_MS_MAX = 30_000;
const TIME_MS_PER_MIB = 60_000;
const MEMORY_KIB_MAX = 768 * 1024;
const MEMORY_KIB_PER_MIB = 768 * 1024;
const MIB = 2 ** 20;

/** A watchdog ends what runs in a context of its own. */
const sandbox: { run?: () => void } = createContext({}) as never;
const script = new Script('run()');

export function judge(bytes: Uint8Array, options: TranslateOptions): Verdict {
  enableFeatures();
  const valid = engine.validate(bytes as Uint8Array<ArrayBuffer>);
  const timeout = Math.ceil(TIME_MS_MAX + (bytes.length / MIB) * TIME_MS_PER_MIB);
  const before = process.resourceUsage().maxRSS;
  const outcome = attempt(bytes, options, timeout);
  const grown = process.resourceUsage().maxRSS - before;
  if (grown > MEMORY_KIB_MAX + (bytes.length / MIB) * MEMORY_KIB_PER_MIB)
    return { outcome: 'compiled', finding: { kind: 'memory', message: `took ${grown >> 10} MiB more` } };
  if (outcome === undefined)
    return {
      outcome: 'compiled',
      finding: valid
        ? undefined
        : { kind: 'accepted', message: 'translated, and Node says that it is not valid' },
    };
  return refusal(outcome, valid);
}

/** Undefined: it was translated. */
function attempt(bytes: Uint8Array, options: TranslateOptions, timeout: number): unknown {
  let error: unknown;
  sandbox.run = () => {
    try {
      translate(bytes, options);
    } catch (e) {
      error = e;
    }
  };
  try {
    script.runInContext(sandbox as never, { timeout });
  } catch {
    return new Hang(`no end in ${timeout} ms`);
  }
  return error;
}

class Hang extends Error {}

function refusal(error: unknown, valid: boolean): Verdict {
  if (error instanceof Hang)
    return { outcome: 'compiled', finding: { kind: 'hang', message: error.message } };
  if (!(error instanceof WasmError)) {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { outcome: 'compiled', finding: { kind: 'crash', message } };
  }
  const { message } = error;
  const outcome = valid ? 'unsupported' : 'invalid';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  if (message === '' || message.length > 1000 || /[\x00-\x1f\x7f-\x9f]/.test(message))
    return {
      outcome,
      finding: { kind: 'message', message: `not one line to read: ${JSON.stringify(message)}` },
    };
  // What has a place was said by the decoder; the others are limits of the translator's own and rules of the fixed memory model.
  if (valid && !(error instanceof UnsupportedError) && error.offset !== undefined)
    return { outcome, finding: { kind: 'refused', message: `Node says that it is valid; yaos: ${message}` } };
  return { outcome };
}
