// The sources of real programs: Debian's source packages, fetched by apt-get with its checks of hashes and signatures,
// unpacked under out/bench/src. apt-get gets lists of its own, so that the system needs no deb-src line and no root.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../error.ts';
import { out } from '../paths.ts';
import { isInstalled } from './process.ts';

const directory = join(out, 'bench/src');
const FETCH_MS_MAX = 300_000;

/** The folder with the package's upstream source as it was released, without Debian's patches. */
export function fetchSource(name: string): string {
  const folder = join(directory, name);
  if (existsSync(folder)) return folder;
  const download = join(directory, `${name}.download`);
  rmSync(download, { recursive: true, force: true });
  mkdirSync(join(download, 'source'), { recursive: true });
  apt(name, ['--download-only', 'source', name], download);
  const archive = readdirSync(download).find((file) => /\.orig\.tar\.\w+$/.test(file));
  if (archive === undefined) throw new UserError(`bench: the source package ${name} has no .orig.tar`);
  run(name, 'tar', ['-xf', archive, '-C', 'source', '--strip-components=1'], download);
  renameSync(join(download, 'source'), folder);
  rmSync(download, { recursive: true });
  return folder;
}

function apt(name: string, args: string[], cwd: string): void {
  if (!isInstalled('apt-get')) {
    throw new UserError(
      `bench: no apt-get here: unpack the upstream source of ${name} into ${join(directory, name)}`,
    );
  }
  const lists = join(out, 'bench/apt');
  const sources = join(lists, 'sources.list');
  const options = {
    'Dir::Etc::SourceList': sources,
    'Dir::Etc::SourceParts': '/nonexistent',
    'Dir::State::Lists': join(lists, 'lists'),
    'Dir::Cache': join(lists, 'cache'),
    'APT::Sandbox::User': '',
  };
  const flags = Object.entries(options).flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  if (!existsSync(sources)) {
    mkdirSync(join(lists, 'lists/partial'), { recursive: true });
    mkdirSync(join(lists, 'cache/archives/partial'), { recursive: true });
    const text = sourceLines();
    writeFileSync(sources, text);
    try {
      run(name, 'apt-get', [...flags, 'update'], cwd);
    } catch (error) {
      rmSync(sources);
      throw error;
    }
  }
  run(name, 'apt-get', [...flags, ...args], cwd);
}

/** The distribution's archives that packages come from here, as deb-src lines. */
function sourceLines(): string {
  const format = '$(ORIGIN) $(REPO_URI) $(RELEASE) $(COMPONENT)';
  const targets = run(
    'sources',
    'apt-get',
    ['indextargets', '--format', format, 'Created-By: Packages'],
    '.',
  );
  const lines = targets.split('\n').flatMap((line) => {
    const [origin, uri, release, component] = line.split(' ');
    return origin === 'Debian' || origin === 'Ubuntu' ? [`deb-src ${uri} ${release} ${component}\n`] : [];
  });
  if (lines.length === 0) throw new UserError('bench: apt has no lists: run apt-get update first');
  return [...new Set(lines)].join('');
}

function run(name: string, command: string, args: string[], cwd: string): string {
  const done = spawnSync(command, args, { cwd, encoding: 'utf8', timeout: FETCH_MS_MAX });
  if (done.status === 0) return done.stdout;
  const why = done.stderr?.split('\n').find((line) => line.startsWith('E:')) ?? done.error?.message ?? '';
  throw new UserError(`bench: cannot get the source of ${name}: ${command} failed ${why}`);
}
