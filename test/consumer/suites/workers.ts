import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Suite } from '../lib/bench.js'
import { must } from '../lib/shell.js'

// The same options as wrangler.
const ESBUILD = ['--bundle', '--format=esm', '--target=es2022', '--conditions=workerd,worker,browser', '--log-level=warning']

/** Cloudflare's runtime: an instance at module scope, with and without its Node compatibility. */
export const workers: Suite = {
  name: 'workers',
  sample: true,
  async run(bench) {
    const packages = ['latchkey', 'hono', 'esbuild@0.28', 'miniflare@3']
    const folder = await bench.project({ name: 'workers', packages, fixtures: ['workers'] })
    for (const adapter of ['hono', 'web']) {
      const out = `${adapter}.bundle.mjs`
      await bench.check(`the ${adapter} adapter can be bundled for Workers without Node modules`, async () => {
        const said = await must(
          join(folder, 'node_modules/.bin/esbuild'),
          [...ESBUILD, `--outfile=${out}`, `${adapter}-worker.mjs`],
          folder,
        )
        const text = await readFile(join(folder, out), 'utf8')
        const [named] = /^import .*"node:.*$/m.exec(text) ?? []
        if (said.trim() !== '' || named !== undefined) throw new Error(`${said}${named}`)
      })
      for (const flags of [[], ['nodejs_compat']]) {
        await bench.check(`the ${adapter} adapter runs in workerd ${flags.length === 0 ? 'without' : 'with'} nodejs_compat`, () =>
          must(process.execPath, ['drive.mjs', out, ...flags], folder),
        )
      }
    }
  },
}
