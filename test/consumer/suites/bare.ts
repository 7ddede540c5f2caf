import type { Suite } from '../lib/bench.js'
import { must } from '../lib/shell.js'

/** A project that has only latchkey. */
export const bare: Suite = {
  name: 'bare',
  sample: true,
  async run(bench) {
    const folder = await bench.project({ name: 'bare', packages: ['latchkey'], fixtures: ['bare'] })
    await bench.check('links in the README, the docs and the diagnostics lead to files in the package', () =>
      must(process.execPath, ['links.mjs'], folder),
    )
    for (const kind of ['import', 'require']) {
      await bench.check(`the error for a missing peer dependency says what to install: ${kind}`, () =>
        must(process.execPath, ['missing-peers.mjs', kind], folder),
      )
    }
  },
}
