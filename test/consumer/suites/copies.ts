import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Suite } from '../lib/bench.js'
import { must } from '../lib/shell.js'

/** Puts another version beside the package, as npm does for a package that depends on it. */
const anotherVersion = async (folder: string): Promise<string> => {
  const name = 'latchkey-older'
  const place = join(folder, 'node_modules', name)
  await cp(join(folder, 'node_modules/latchkey'), place, { recursive: true })
  const manifest = JSON.parse(await readFile(join(place, 'package.json'), 'utf8'))
  await writeFile(join(place, 'package.json'), JSON.stringify({ ...manifest, name, version: '0.0.9' }))
  return name
}

/** One copy of the classes behind every entry of one kind, and what happens where two copies meet. */
export const copies: Suite = {
  name: 'copies',
  sample: true,
  async run(bench) {
    const folder = await bench.project({ name: 'copies', packages: ['latchkey', 'express', 'kysely@0.28', 'libsql'], fixtures: ['copies'] })
    const older = await anotherVersion(folder)
    await bench.check('import and require in one process fail closed, say so, and share a store', () =>
      must(process.execPath, ['two-copies.mjs', 'require', 'latchkey'], folder),
    )
    await bench.check('two versions in one process fail closed, say so, and share a store', () =>
      must(process.execPath, ['two-copies.mjs', 'import', older], folder),
    )
    await bench.check('what a guard leaves on a request gets no other request in', () => must(process.execPath, ['forged.mjs'], folder))
    for (const file of ['one-copy.mjs', 'one-copy.cjs']) {
      await bench.check(`one copy of the classes stands behind every entry: ${file}`, () => must(process.execPath, [file], folder))
    }
  },
}
