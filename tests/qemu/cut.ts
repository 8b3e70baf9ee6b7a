// One power cut: a machine with job=records on a disk that forgets, killed at an event of the disk's, and all that is wrong with
// what is left.

import type { Variables } from '../../build/qemu/options.ts';
import { FIRST_FD, LiveMachine } from './live.ts';
import type { Ledger } from './records.ts';
import { VolatileDisk, type Watch } from './volatile-disk.ts';

/** Each of hundreds of requests goes through two processes, which a campaign beside other work has to wait for. */
const RUN_MS_MAX = 300_000;

export interface Scenario {
  variables?: Variables;
  /** Properties of the disk. */
  device?: string;
  /** A node of QEMU's with the name top, upon the disk's, which is d. */
  above?: string;
  /** More of the kernel's command line. */
  words?: string;
  run_ms_max?: number;
}

export interface Left {
  disk: Buffer;
  problems: string[];
}

/** Cuts when `due` says so; `keep` as of VolatileDisk.cut(). */
export async function cutPower(
  content: Buffer,
  ledger: Ledger,
  { variables = {}, device = '', above, words = '', run_ms_max = RUN_MS_MAX }: Scenario,
  due: (...event: Parameters<Watch>) => boolean,
  keep: (versions: number) => number,
): Promise<Left> {
  const problems: string[] = [];
  const look = (lines: string[], complete: boolean) => {
    problems.push(...ledger.note(lines));
    if (problems.length === 0) problems.push(...ledger.check(disk.durable, complete));
  };
  const disk = new VolatileDisk(content, (phase, type) => {
    if (phase === 'asked') look(live.lines, false); // had the power gone now, with all that was not flushed
    if (!due(phase, type)) return;
    live.kill();
    disk.cut(keep);
  });
  const nodes = `-blockdev driver=nbd,node-name=d,server.type=fd,server.str=${FIRST_FD} ${above ?? ''}`;
  const QEMUEXTRA = `${nodes} -device virtio-blk-pci,drive=${above ? 'top' : 'd'},addr=4${device}`;
  const machine = { ...variables, DISK: 'none', QEMUEXTRA, APPEND: `job=records count=0 ${words}` };
  ledger.start(content);
  const live = new LiveMachine(machine, 1, run_ms_max);
  disk.serve(live.sockets[0]!);
  const { how, lines, stderr } = await live.ended;
  if (!disk.off) problems.push(`it ended before the cut, ${how}: ${stderr}\n${lines.slice(-20).join('\n')}`);
  look(lines, true);
  return { disk: disk.durable, problems };
}
