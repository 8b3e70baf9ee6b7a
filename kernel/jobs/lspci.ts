// job=lspci: the buses as a tree. With function=0000:bb:dd.f, that function's configuration space instead.

import { dumpFunction } from '../bus/pci/dump.ts';
import { findFunction } from '../bus/pci/scan.ts';
import { printTree } from '../bus/pci/tree.ts';
import * as cmdline from '../lib/cmdline.ts';
import { log } from '../lib/log.ts';

export function lspciJob(): void {
  const name = cmdline.value('function', '');
  if (name.length === 0) {
    printTree();
    return;
  }
  const fn = findFunction(name);
  if (fn !== null) dumpFunction(fn);
  else log('lspci').text(name).text(': no such function; job=lspci has them all').end();
}
