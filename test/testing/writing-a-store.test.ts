import { readFile } from 'node:fs/promises'
import { memoryStore } from 'latchkey/stores/memory'
import { expect, it } from 'vitest'
import { LIARS } from './liars/all.js'

const page = await readFile(new URL('../../docs/writing-a-store.md', import.meta.url), 'utf8')

/** The rows of the table under a heading. */
function tableUnder(heading: string): string[][] {
  const [, rest = ''] = page.split(`## ${heading}\n`)
  const [section = ''] = rest.split('\n## ')
  const rows = section.split('\n').filter((line) => line.startsWith('|'))
  return rows.slice(2).map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

it('each mistake on the docs page about writing a store has a sabotaged store and names the case that detects it', () => {
  const caught = new Set(LIARS.map(({ caughtBy }) => caughtBy))
  const rows = tableUnder('Where stores go wrong')
  expect(rows.length).toBeGreaterThan(12)
  expect(rows.map(([, title = '']) => title).filter((title) => !caught.has(title))).toEqual([])
})

it('the docs page about writing a store explains every method of a store', () => {
  const methods = [...Object.keys(memoryStore()), 'migrate'].filter((method) => method !== 'name')
  expect(methods.filter((method) => !page.includes(`\`${method}\``))).toEqual([])
})
