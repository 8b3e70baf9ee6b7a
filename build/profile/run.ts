// `make profile`: samples the running machine, and makes files of what it found.

import type { Socket } from 'node:net';
import { join, relative } from 'node:path';
import { UserError } from '../error.ts';
import { readInput, replaceFile } from '../files.ts';
import { out, root } from '../paths.ts';
import { FROM_KERNEL, SOCKET_FD } from '../qemu/command.ts';
import { decode } from '../wasm/decode.ts';
import { speedscopeFile, summaryFile } from './files.ts';
import { profilePage } from './page.ts';
import { placesOf } from './places.ts';
import { hottest, hottestLine, type Profile, profileOf } from './profile.ts';
import { type Samples, sampleMachine } from './sample.ts';

const TITLE = 'yaos';
const ROWS = 12;

/** `boot` runs QEMU with more arguments and a socket for `attend`, and gives the exit status of the command. */
export async function runProfiled(
  append: string,
  boot: (args: string[], attend: (socket: Socket) => void) => Promise<number>,
  folder = out,
): Promise<number> {
  let sampling: Promise<Samples> | undefined;
  const args = ['-S', '-chardev', `socket,id=gdb,fd=${SOCKET_FD}`, '-gdb', 'chardev:gdb'];
  const status = await boot(args, (socket) => {
    sampling = sampleMachine(socket, readInput(FROM_KERNEL.kernel));
  });
  const found = await sampling;
  if (found === undefined || found.samples.length === 0)
    throw new UserError('yaos: no profile: the kernel has not run long enough');
  const places = placesOf(
    FROM_KERNEL.kernel,
    found.samples.flatMap(({ calls }) => calls ?? []),
    decode(readInput(join(out, 'kernel.wasm'))).funcs.map(({ name }) => name),
  );
  const profile = profileOf(found, places);
  const title = append === '' ? TITLE : `${TITLE}: ${append}`;
  replaceFile(join(folder, 'profile.speedscope.json'), speedscopeFile(profile, title));
  replaceFile(join(folder, 'profile.json'), summaryFile(profile));
  replaceFile(join(folder, 'profile.html'), profilePage(profile, title));
  for (const line of summary(profile, folder)) console.log(line);
  return status;
}

function summary(profile: Profile, folder: string): string[] {
  const samples = profile.stacks.length;
  const percent = (count: number) => `${((count / samples) * 100).toFixed(1)} %`.padStart(8);
  const rows = hottest(profile).slice(0, ROWS);
  return [
    `profile: ${samples} samples, ${profile.idle} of them of idle CPUs; the hottest functions, themselves and with their calls:`,
    ...rows.map((each) => {
      const line = hottestLine(each);
      const place = each.file === undefined ? '' : ` (${each.file}${line === undefined ? '' : `:${line}`})`;
      return `${percent(each.self)} ${percent(each.total)}  ${each.name}${place}`;
    }),
    `profile: ${relative(root, folder)}/profile.html, profile.speedscope.json (for speedscope.app), profile.json`,
  ];
}
