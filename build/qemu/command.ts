// QEMU's command line for a machine. Nothing that the guest does not need is there: no network, VGA, floppy
// or CD-ROM, which also takes a third off the firmware's time.

import { join } from 'node:path';
import { UserError } from '../error.ts';
import { out } from '../paths.ts';
import type { Disk } from './disk.ts';
import type { MachineOptions } from './options.ts';

export const QEMU = 'qemu-system-x86_64';

/** isa-debug-exit makes (value << 1) | 1 of what the guest writes: 0x10 and 0x11. */
export const STATUS_DONE = 33;
export const STATUS_PANIC = 35;

/** For one who talks to QEMU while it runs. */
export const SOCKET_FD = 3;

const BASE = ['-nodefaults', '-no-reboot', '-display', 'none'];
const DEBUG_EXIT = ['-device', 'isa-debug-exit,iobase=0xf4,iosize=4'];

/** A host without room fails the guest's writes: QEMU would stop the machine, and nobody would be told. */
const USER_DRIVE = 'if=none,id=disk,werror=report';

export interface Boot {
  options: MachineOptions;
  disk: Disk | null;
  accel: 'kvm' | 'tcg';
  /** What is booted: a kernel by QEMU's own loader, or a disk image through the firmware and its boot block. */
  from: { kernel: string } | { image: string };
  /** Somebody types at the serial line, Ctrl-C too. */
  typed?: boolean;
}

export const kernelIn = (folder: string) => ({ kernel: join(folder, 'kernel.elf') });
export const imageIn = (folder: string) => ({ image: join(folder, 'yaos.img') });
export const FROM_KERNEL = kernelIn(out);
export const FROM_IMAGE = imageIn(out);

export function qemuArguments(boot: Boot): string[] {
  const { options, disk, accel, from } = boot;
  if (isMicrovm(options.machine) && 'image' in from)
    throw new UserError(`yaos: MACHINE=${options.machine} boots from no disk: use make qemu-kernel`);
  // A bus that BLK names comes from QEMUEXTRA, so it must be there first; without one, the disk has first
  // choice of its slot.
  const onOwnBus = /(^|,)bus=/.test(options.blk);
  // Slot 4 of the root bus; on another bus (a PCIe port has slot 0 only) QEMU chooses.
  const device = onOwnBus ? 'virtio-blk-pci,drive=disk' : diskDevice(options.machine);
  const blk = disk === null ? [] : ['-device', joined(device, options.blk)];
  const devices = onOwnBus ? [...options.qemuExtra, ...blk] : [...blk, ...options.qemuExtra];
  return [
    ...BASE,
    ...DEBUG_EXIT,
    ...['-machine', options.machine, '-m', options.mem, '-smp', String(options.smp)],
    ...accelArguments(accel),
    ...serial(boot.typed === true),
    ...('kernel' in from ? ['-kernel', from.kernel] : bootDrive(from.image)),
    ...(disk === null ? [] : ['-drive', drive(disk.path, disk.format, USER_DRIVE)]),
    ...(options.append === '' ? [] : ['-fw_cfg', `name=opt/yaos/cmdline,string=${escaped(options.append)}`]),
    ...devices,
  ];
}

function serial(typed: boolean): string[] {
  if (!typed) return ['-serial', 'stdio'];
  return ['-chardev', 'stdio,id=terminal,signal=off', '-serial', 'chardev:terminal'];
}

function isMicrovm(machine: string): boolean {
  return machine.startsWith('microvm');
}

/** microvm has no PCI bus unless it is asked for one; its disks are on virtio-mmio. */
function diskDevice(machine: string): string {
  const pci = !isMicrovm(machine) || /,pcie=on(,|$)/.test(machine);
  return pci ? 'virtio-blk-pci,drive=disk,addr=4' : 'virtio-blk-device,drive=disk';
}

/** A machine that runs only a boot sector. */
export function bootSectorArguments(path: string, machine: string, accel: 'kvm' | 'tcg'): string[] {
  return [
    ...BASE,
    ...DEBUG_EXIT,
    ...['-machine', machine, '-m', '16M'],
    ...accelArguments(accel),
    ...['-serial', 'stdio'],
    ...bootDrive(path),
  ];
}

function accelArguments(accel: 'kvm' | 'tcg'): string[] {
  return ['-accel', accel, ...(accel === 'kvm' ? ['-cpu', 'host'] : [])];
}

/** On IDE (pc) or AHCI (q35), and first for the firmware whatever else is there. */
function bootDrive(path: string): string[] {
  return ['-drive', drive(path, 'raw', 'if=none,id=boot'), '-device', 'ide-hd,drive=boot,bootindex=0'];
}

/** A snapshot: the guest may write, the file stays as it is and may be used by many at once. */
function drive(path: string, format: string, rest: string): string {
  return `${rest},format=${format},snapshot=on,file=${escaped(path)}`;
}

/** In QEMU's option lists a comma is doubled. */
function escaped(text: string): string {
  return text.replaceAll(',', ',,');
}

function joined(first: string, rest: string): string {
  return rest === '' ? first : `${first},${rest}`;
}
