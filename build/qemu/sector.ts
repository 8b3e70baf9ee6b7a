// Assembles a boot sector to a disk image: the guests that tell something of the machine itself.

import { spawnSync } from 'node:child_process';
import { truncateSync } from 'node:fs';
import { basename, join } from 'node:path';
import { UserError } from '../error.ts';
import { binutilsPrefix, root } from '../paths.ts';

const IMAGE_BYTES = 1 << 20; // AHCI firmware does not read smaller disks

/** `source` is a path below the root; the image is made in `directory`. */
export function assembleSector(source: string, directory: string): string {
  const prefix = binutilsPrefix();
  const object = join(directory, `${basename(source, '.S')}.o`);
  const image = join(directory, `${basename(source, '.S')}.img`);
  const place = ['-m', 'elf_x86_64', '-Ttext', '0x7c00', '--oformat', 'binary'];
  tool(`${prefix}as`, ['--64', '-o', object, join(root, source)]);
  tool(`${prefix}ld`, [...place, '-o', image, object]);
  truncateSync(image, IMAGE_BYTES);
  return image;
}

function tool(program: string, args: string[]): void {
  const done = spawnSync(program, args, { encoding: 'utf8' });
  if (done.error) throw new UserError(`yaos: cannot run ${program}: ${done.error.message}`);
  if (done.status !== 0) throw new UserError(`yaos: ${program} ${args.join(' ')}: ${done.stderr.trim()}`);
}
