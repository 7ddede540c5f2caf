import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'
import type { Suite } from '../lib/bench.js'
import { NODES, nodeBinary, nodePackage } from '../lib/nodes.js'
import { run } from '../lib/shell.js'

const CONTRACTS = fileURLToPath(new URL('../contracts.ts', import.meta.url))
const PACKAGES = [
  ...['express@5', 'express4@npm:express@4', 'koa@3', 'koa2@npm:koa@2', '@koa/router@15', 'koa-mount@4'],
  ...['fastify@5', 'hono@4', '@hono/node-server@2'],
  // The build of latchkey bundles this package, but the contract is built from our sources, which import it.
  '@noble/hashes@2',
]

/** Internal functions that the HTTP contract uses to return malformed decisions to a guard. */
const INSIDE = ['deciderOf', 'internalsOf', 'registerInstance']

/** Redirects the tests' imports of our sources to the installed package where both must be the same copy as the adapters. */
const onThePackage = async (folder: string): Promise<Plugin> => {
  const dist = join(folder, 'node_modules/latchkey/dist')
  const files = (await readdir(dist)).filter((name) => name.endsWith('.js'))
  const exported = async (name: string): Promise<string> => /^export \{(.*)\};?$/m.exec(await readFile(join(dist, name), 'utf8'))?.[1] ?? ''
  const lists = await Promise.all(
    files.map(async (name) => ({ name, names: (await exported(name)).split(/,\s*/).map((each) => each.trim()) })),
  )
  const inside = lists.find(({ names }) => INSIDE.every((name) => names.includes(name)))
  if (inside === undefined) throw new Error(`no file of the package exports ${INSIDE.join(', ')}`)
  return {
    name: 'on-the-package',
    setup({ onResolve }) {
      onResolve({ filter: /\/src\/(errors|latchkey)\.js$/ }, () => ({ path: 'latchkey', external: true }))
      onResolve({ filter: /\/src\/instance\.js$/ }, () => ({ path: `./node_modules/latchkey/dist/${inside.name}`, external: true }))
    },
  }
}

type Runtime = { readonly name: string; readonly command: string; readonly args: readonly string[]; readonly sample: boolean }

const RUNTIMES: readonly Runtime[] = [
  { name: 'Bun', command: 'node_modules/.bin/bun', args: ['run'], sample: true },
  { name: 'Deno', command: 'node_modules/.bin/deno', args: ['run', '--allow-all', '--node-modules-dir=manual'], sample: true },
  ...NODES.map((major) => ({ name: `Node ${major}`, command: nodeBinary(major), args: [], sample: major === '26' })),
]

/** CI's sample: an adapter on Node servers, one on standard requests, and the store that finds its driver automatically. */
const SAMPLE = ['Hono', 'web', 'SQLite']

/** Runs the contract suites of the adapters and of the stores that need no server, on every runtime that has Node's modules. */
export const runtimes: Suite = {
  name: 'runtimes',
  sample: true,
  async run(bench) {
    const chosen = RUNTIMES.filter(({ sample }) => bench.all || sample)
    const nodes = NODES.filter((major) => chosen.some(({ name }) => name === `Node ${major}`)).map(nodePackage)
    const packages = ['latchkey', ...PACKAGES, 'kysely@0.28', 'libsql', 'bun@1.4', 'deno@2.9', ...nodes]
    const folder = await bench.project({ name: 'runtimes', packages })
    await build({
      entryPoints: [CONTRACTS],
      outfile: join(folder, 'contracts.mjs'),
      bundle: true,
      packages: 'external',
      format: 'esm',
      platform: 'node',
      tsconfigRaw: {},
      plugins: [await onThePackage(folder)],
    })
    for (const { name, command, args } of chosen) {
      await bench.check(`every adapter passes its contract on ${name}`, async () => {
        const { code, output } = await run(command, [...args, 'contracts.mjs', ...(bench.all ? [] : SAMPLE)], folder)
        if (code !== 0) throw new Error(output)
      })
    }
  },
}
