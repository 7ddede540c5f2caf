import type { Suite } from '../lib/bench.js'
import { must } from '../lib/shell.js'

/** One copy of the classes behind every entry of one kind, and what happens where two copies meet. */
export const copies: Suite = {
  name: 'copies',
  sample: true,
  async run(bench) {
    const folder = await bench.project({ name: 'copies', packages: ['latchkey', 'express', 'kysely@0.28', 'libsql'], fixtures: ['copies'] })
    await bench.check('two copies in one process fail closed, say so, and share a store', () =>
      must(process.execPath, ['two-copies.mjs'], folder),
    )
    for (const file of ['one-copy.mjs', 'one-copy.cjs']) {
      await bench.check(`one copy of the classes stands behind every entry: ${file}`, () => must(process.execPath, [file], folder))
    }
  },
}
