import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import * as errors from '../../src/errors.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

const CLASSES = Object.entries(errors)
  .filter(([, value]) => typeof value === 'function' && value.prototype instanceof Error)
  .map(([name]) => name)
const BARE = new RegExp(`\\binstanceof (?:${[...CLASSES, 'Error', 'TypeError', 'RangeError'].join('|')})\\b`)

it('no source file checks errors with instanceof, which fails for a second copy of the package and for another realm', async () => {
  expect(CLASSES).toContain('LatchkeyError')
  const found: string[] = []
  for (const folder of ['src', 'adapters']) {
    for (const name of await readdir(`${root}/${folder}`, { recursive: true })) {
      if (!/\.tsx?$/.test(name) || name.endsWith('assets.ts')) continue
      const lines = (await readFile(`${root}/${folder}/${name}`, 'utf8')).split('\n')
      for (const [at, line] of lines.entries()) if (BARE.test(line)) found.push(`${folder}/${name}:${at + 1}: ${line.trim()}`)
    }
  }
  expect(found).toEqual([])
})
