import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Suite } from '../lib/bench.js'
import { must } from '../lib/shell.js'

/** Installs another version next to the package, as npm does for a package that depends on it. */
const anotherVersion = async (folder: string): Promise<string> => {
  const name = 'latchkey-older'
  const place = join(folder, 'node_modules', name)
  await cp(join(folder, 'node_modules/latchkey'), place, { recursive: true })
  const manifest = JSON.parse(await readFile(join(place, 'package.json'), 'utf8'))
  await writeFile(join(place, 'package.json'), JSON.stringify({ ...manifest, name, version: '0.0.9' }))
  return name
}

/** Checks that all entries of one module kind share the same classes, and what happens when two copies meet. */
export const copies: Suite = {
  name: 'copies',
  sample: true,
  async run(bench) {
    const folder = await bench.project({ name: 'copies', packages: ['latchkey', 'express', 'kysely@0.28', 'libsql'], fixtures: ['copies'] })
    const older = await anotherVersion(folder)
    await bench.check('import and require in one process fail closed with an explanation and share a store', () =>
      must(process.execPath, ['two-copies.mjs', 'require', 'latchkey'], folder),
    )
    await bench.check('two versions in one process fail closed with an explanation and share a store', () =>
      must(process.execPath, ['two-copies.mjs', 'import', older], folder),
    )
    await bench.check('the mark of a guard admits no other request', () => must(process.execPath, ['forged.mjs'], folder))
    for (const file of ['one-copy.mjs', 'one-copy.cjs']) {
      await bench.check(`all entries share one copy of the classes: ${file}`, () => must(process.execPath, [file], folder))
    }
  },
}
