// The choice of the accelerator, with stand-ins for /dev/kvm and for QEMU; and the probe guest itself under TCG.

import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { chooseAccel } from '../../build/qemu/accel.ts';
import { bootSectorArguments, QEMU } from '../../build/qemu/command.ts';
import { assembleSector } from '../../build/qemu/sector.ts';

let directory: string;
const path = process.env.PATH;
const kvm = () => join(directory, 'kvm');
const memory = () => join(directory, 'verdict.json');
const choose = () => chooseAccel('auto', kvm(), memory());

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'yaos-accel-'));
  process.env.PATH = `${directory}:${path}`;
  writeFileSync(kvm(), '');
});

afterEach(() => {
  process.env.PATH = path;
  rmSync(directory, { recursive: true });
});

/** A QEMU that runs `script`. `runs` tells how often. */
function standIn(script: string): void {
  const file = join(directory, QEMU);
  writeFileSync(file, `#!/bin/sh\necho run >>'${directory}/runs'\n${script}\n`);
  chmodSync(file, 0o755);
}

const runs = () => readFileSync(join(directory, 'runs'), 'utf8').split('\n').length - 1;

test('the user’s word goes before all', async () => {
  expect(await chooseAccel('kvm', kvm(), memory())).toEqual({ accel: 'kvm' });
  expect(await chooseAccel('tcg', kvm(), memory())).toEqual({ accel: 'tcg' });
});

test('no /dev/kvm', async () => {
  rmSync(kvm());
  expect(await choose()).toEqual({ accel: 'tcg', line: `accel: tcg, because there is no ${kvm()}` });
});

test('a KVM that works is found once', async () => {
  standIn('exit 85');
  expect(await choose()).toEqual({ accel: 'kvm', line: 'accel: kvm, because under KVM a probe guest ran' });
  const again = await choose();
  expect(again.accel).toBe('kvm');
  expect(again.line).toMatch(/ran, as found before \(.*verdict\.json\)$/);
  expect(runs()).toBe(1);
});

test('another QEMU is probed anew, and a damaged verdict is no verdict', async () => {
  standIn('exit 85');
  await choose();
  utimesSync(join(directory, QEMU), 1, 1);
  await choose();
  expect(runs()).toBe(2);
  writeFileSync(memory(), '{"key":');
  await choose();
  expect(runs()).toBe(3);
});

test('a KVM that hangs is given up after half a second', async () => {
  standIn('exec sleep 60');
  const start = performance.now();
  const choice = await choose();
  expect(performance.now() - start).toBeLessThan(2500);
  expect(choice.line).toBe('accel: tcg, because under KVM a probe guest did not finish in 500 ms');
});

test('a KVM that makes QEMU fail', async () => {
  standIn('echo "KVM internal error" >&2; exit 1');
  const { line } = await choose();
  expect(line).toBe('accel: tcg, because under KVM a probe guest failed with status 1 (KVM internal error)');
});

test('a guest that computes wrongly', async () => {
  standIn('exit 87');
  expect((await choose()).line).toMatch('failed with status 87');
});

test.each(['pc', 'q35'])('the probe guest passes on a machine that works (%s)', (machine) => {
  const image = assembleSector('build/qemu/probe.S', directory);
  const { status } = spawnSync(QEMU, bootSectorArguments(image, machine, 'tcg'), { timeout: 20_000 });
  expect(status).toBe(85);
});
