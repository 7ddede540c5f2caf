import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Suite } from '../lib/bench.js'
import { compiles } from '../lib/compile.js'
import { namedBlocks } from '../lib/named-blocks.js'
import { must } from '../lib/shell.js'

const blocks = namedBlocks(await readFile(new URL('../../../docs/testing.md', import.meta.url), 'utf8'))
const SHARED = ['latchkey', 'express', 'supertest', 'typescript@~6.0', '@types/express@5', '@types/supertest', '@types/node@20']

/** Saves the files that the page tells the reader to save, and returns their paths. */
const save = async (folder: string, ...places: readonly string[]): Promise<readonly string[]> => {
  const wanted = blocks.filter(({ file }) => places.some((place) => file.startsWith(`${place}/`)))
  for (const { file, text } of wanted) {
    await mkdir(dirname(join(folder, file)), { recursive: true })
    await writeFile(join(folder, file), text)
  }
  if (!places.every((place) => wanted.some(({ file }) => file.startsWith(`${place}/`)))) throw new Error(`no block for ${places.join()}`)
  return wanted.map(({ file }) => file)
}

/** Follows the page about testing a protected app word for word. */
export const testing: Suite = {
  name: 'testing',
  sample: true,
  async run(bench) {
    const vitest = await bench.project({ name: 'testing-vitest', packages: [...SHARED, 'kysely@0.28', 'libsql', 'vitest@4'] })
    const files = await save(vitest, 'src', 'vitest')
    await bench.check('the tests on the testing page compile', () => compiles(vitest, 'nodenext', files))
    await bench.check('the tests on the testing page pass in Vitest with supertest', () =>
      must(process.execPath, ['node_modules/vitest/vitest.mjs', 'run'], vitest),
    )
    const packages = [...SHARED, 'jest@30', 'ts-jest@29', '@types/jest@30']
    const jest = await bench.project({ name: 'testing-jest', packages, type: 'commonjs', fixtures: ['jest-config'] })
    await save(jest, 'src', 'jest')
    await bench.check('the test on the testing page passes in Jest with supertest', () =>
      must(process.execPath, ['node_modules/jest/bin/jest.js', '--ci', '--colors=false'], jest),
    )
  },
}
