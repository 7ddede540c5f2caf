import { readFile, writeFile } from 'node:fs/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { trail } from '../latchkey/harness.js'
import { ownFolder } from '../stores/sql/databases.js'
import { openAt } from './crash/open.js'
import { everyKind, kill, newPlace, start } from './crash/processes.js'

const CHILD = new URL('./crash/child.ts', import.meta.url)
const PATIENCE_MS = 120_000

type Line = { readonly by: string; readonly id: string }

async function linesOf(file: string): Promise<readonly Line[]> {
  const text = await readFile(file, 'utf8')
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [by = '', id = ''] = line.split(' ')
      return { by, id }
    })
}

async function linesWhen(file: string, enough: (lines: readonly Line[]) => boolean): Promise<readonly Line[]> {
  for (;;) {
    const lines = await linesOf(file)
    if (enough(lines)) return lines
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

describe.each(await everyKind())('a consumer whose process is killed on $kind', ({ kind, skip }) => {
  it.skipIf(skip)(
    'a killed consumer misses no event: another process continues in order, and repeated events keep their ID',
    async () => {
      const place = await newPlace(kind)
      const folder = await ownFolder()
      onTestFinished(() => folder.remove())
      const file = folder.path('seen')
      await writeFile(file, '')
      const tokens = openAt(place)
      onTestFinished(() => tokens.close())
      let writing = true
      const writer = (async () => {
        for (let turn = 0; turn < 2000 && writing; turn += 1) await tokens.system.create({ name: `Token ${turn}`, scopes: ['stock:read'] })
      })()
      const first = await start(CHILD, place, file)
      await linesWhen(file, (lines) => lines.length >= 40)
      await kill(first)
      const second = await start(CHILD, place, file)
      await linesWhen(file, (lines) => lines.some(({ by }) => by === String(second.pid)))
      writing = false
      await writer
      const expected = await trail(tokens)
      const lines = await linesWhen(file, (found) => new Set(found.map(({ id }) => id)).size >= expected.length)
      // Each process delivers events in store order, and so do the first deliveries across both processes.
      expect([...new Set(lines.map(({ id }) => id))]).toEqual(expected)
      for (const child of [first, second]) {
        const own = lines.filter(({ by }) => by === String(child.pid)).map(({ id }) => expected.indexOf(id))
        expect(own).toEqual(own.toSorted((a, b) => a - b))
        expect(new Set(own).size).toBe(own.length)
      }
      await kill(second)
    },
    PATIENCE_MS,
  )
})
