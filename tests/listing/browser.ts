// A headless Chromium for tests, by its DevTools protocol over pipes, so that it needs no package and no port.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** The program, if one is installed. */
export function findBrowser(): string | undefined {
  return NAMES.find((name) => spawnSync(name, ['--version']).status === 0);
}

interface Message {
  id?: number;
  method?: string;
  params?: Record<string, unknown>;
  result?: Record<string, unknown>;
  error?: { message: string };
}

export class Page {
  /** Exceptions, errors on the console, and requests for anything but the page. */
  readonly complaints: string[] = [];
  private readonly browser: ChildProcess;
  private readonly folder = mkdtempSync(join(tmpdir(), 'yaos-browser-'));
  private readonly answers = new Map<number, (message: Message) => void>();
  private readonly events = new Map<string, () => void>();
  private session: string | undefined;
  private count = 0;

  constructor(program: string) {
    const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--remote-debugging-pipe'];
    this.browser = spawn(program, [...flags, `--user-data-dir=${this.folder}`, 'about:blank'], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
    });
    let text = '';
    (this.browser.stdio[4] as Readable).on('data', (bytes: Buffer) => {
      text += bytes.toString();
      const messages = text.split('\0');
      text = messages.pop()!;
      for (const message of messages) this.receive(JSON.parse(message));
    });
  }

  async open(url: string): Promise<void> {
    const { targetInfos } = await this.command('Target.getTargets');
    const { targetId } = (targetInfos as { type: string; targetId: string }[]).find(
      (t) => t.type === 'page',
    )!;
    const { sessionId } = await this.command('Target.attachToTarget', { targetId, flatten: true });
    this.session = sessionId as string;
    for (const domain of ['Page', 'Runtime', 'Network', 'Log']) await this.command(`${domain}.enable`);
    await this.size(1500, 900);
    const loaded = new Promise<void>((resolve) => void this.events.set('Page.loadEventFired', resolve));
    await this.command('Page.navigate', { url });
    await loaded;
  }

  size(width: number, height: number): Promise<unknown> {
    const metrics = { width, height, deviceScaleFactor: 1, mobile: false };
    return this.command('Emulation.setDeviceMetricsOverride', metrics);
  }

  /** The value of an expression in the page; a promise is awaited. */
  async value<T>(expression: string): Promise<T> {
    const flags = { returnByValue: true, awaitPromise: true };
    const { result, exceptionDetails } = await this.command('Runtime.evaluate', { expression, ...flags });
    if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { value: T }).value;
  }

  scheme(value: 'light' | 'dark'): Promise<unknown> {
    return this.command('Emulation.setEmulatedMedia', {
      features: [{ name: 'prefers-color-scheme', value }],
    });
  }

  async key(key: string): Promise<void> {
    const text = key.length === 1 ? { text: key } : key === 'Enter' ? { text: '\r' } : {};
    await this.command('Input.dispatchKeyEvent', { type: 'keyDown', key, ...text });
    await this.command('Input.dispatchKeyEvent', { type: 'keyUp', key });
  }

  async type(text: string): Promise<void> {
    for (const key of text) await this.key(key);
  }

  /** In the middle of the first element that a selector finds. */
  async mouse(selector: string, click: boolean): Promise<void> {
    const { x, y } = await this.value<{ x: number; y: number }>(
      `(() => { const r = document.querySelector(${JSON.stringify(selector)}).getBoundingClientRect();
        return { x: r.x + Math.min(r.width, 120) / 2, y: r.y + r.height / 2 }; })()`,
    );
    const at = { x, y, button: 'left', clickCount: 1 };
    await this.command('Input.dispatchMouseEvent', { ...at, type: 'mouseMoved', button: 'none' });
    if (!click) return;
    await this.command('Input.dispatchMouseEvent', { ...at, type: 'mousePressed' });
    await this.command('Input.dispatchMouseEvent', { ...at, type: 'mouseReleased' });
  }

  async screenshot(): Promise<Buffer> {
    const { data } = await this.command('Page.captureScreenshot', { format: 'png' });
    return Buffer.from(data as string, 'base64');
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.browser.on('close', resolve));
    this.browser.kill('SIGKILL');
    await closed;
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  private command(method: string, params: Record<string, unknown> = {}): Promise<Record<string, unknown>> {
    const id = ++this.count;
    return new Promise((resolve, reject) => {
      this.answers.set(id, ({ result, error }) => {
        if (error) reject(new Error(`${method}: ${error.message}`));
        else resolve(result!);
      });
      const message = JSON.stringify({ id, method, params, sessionId: this.session });
      (this.browser.stdio[3] as Writable).write(`${message}\0`);
    });
  }

  private receive({ id, method = '', params = {}, ...answer }: Message): void {
    if (id !== undefined) {
      this.answers.get(id)?.(answer);
      this.answers.delete(id);
      return;
    }
    this.events.get(method)?.();
    if (method === 'Runtime.exceptionThrown' || method === 'Log.entryAdded')
      this.complaints.push(JSON.stringify(params));
    if (method !== 'Network.requestWillBeSent') return;
    const { url } = params.request as { url: string };
    if (!url.startsWith('file:') && !url.startsWith('blob:')) this.complaints.push(`requests ${url}`);
  }
}
