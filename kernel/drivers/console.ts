// The second console: with console=virtio the log goes to the first terminal too, from when all devices have been found until
// somebody takes it away.

import { value } from '../lib/cmdline.ts';
import { log } from '../lib/log.ts';
import { addMirror, Mirror, removeMirror } from '../lib/serial.ts';
import { Terminal, TerminalUser, terminals } from './terminal.ts';

class TerminalMirror extends Mirror {
  constructor(private readonly terminal: Terminal) {
    super();
  }

  write(address: usize, bytes: u32): void {
    this.terminal.write(address, bytes);
  }

  writeInPanic(address: usize, bytes: u32): void {
    this.terminal.writeInPanic(address, bytes);
  }

  drain(): void {
    this.terminal.drain();
  }
}

class Mirrored extends TerminalUser {
  constructor(private readonly terminal: Terminal) {
    super();
  }

  terminalGone(): void {
    removeMirror();
    const line = log('console').text(this.terminal.name);
    line.text(' is taken away: the log goes over the serial line only').end();
    this.terminal.drop();
  }
}

export function chooseConsole(): void {
  const choice = value('console', 'serial');
  if (choice === 'serial') return;
  if (choice !== 'virtio') {
    log('cmdline').text('console=').text(choice).text(': choose serial or virtio, ignored').end();
    return;
  }
  const terminal = terminals.hold(0); // the log may be on its way there at any time
  if (terminal === null) {
    log('console').text('there is no virtio console: the log goes over the serial line only').end();
  } else {
    addMirror(new TerminalMirror(terminal));
    terminal.user = new Mirrored(terminal);
    log('console').text('the log goes to ').text(terminal.name).text(' too').end();
  }
}
