import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryStore } from 'latchkey/stores/memory'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { storeContract } from 'latchkey/testing'
import { httpContract } from '../http-contract/index.js'
import { harnesses } from '../support/http/harnesses.js'

// The adapters' contract suites as a program, for runtimes without Vitest. `contracts.mjs Koa Hono` runs only the named suites.
type Case = { readonly title: string; readonly run: () => unknown; readonly timeout: number }

const cases: Case[] = []
const titles: string[] = []
const runner = {
  describe(title: string, declare: () => void): void {
    titles.push(title)
    declare()
    titles.pop()
  },
  it(title: string, run: () => unknown, timeout = 60_000): void {
    cases.push({ title: [...titles, title].join(' > '), run, timeout })
  },
}

const within = async (limit: number, run: () => unknown): Promise<void> => {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no end after ${limit} ms`)), limit)
  })
  try {
    await Promise.race([Promise.resolve().then(run), late])
  } finally {
    clearTimeout(timer)
  }
}

for (const harness of harnesses) httpContract(runner, harness)
storeContract(runner, {
  name: 'memory',
  operations: 200,
  create() {
    const store = memoryStore()
    return { store, reopen: () => store }
  },
})
// Uses the driver that the runtime finds automatically.
storeContract(runner, {
  name: 'SQLite',
  operations: 200,
  async create() {
    const folder = await mkdtemp(join(tmpdir(), 'latchkey-contract-'))
    // Host transactions are tested where the driver is known.
    const open = () => {
      const { commitIn: _, placeEvents: __, ...store } = sqliteStore(join(folder, 'tokens.db'))
      return store
    }
    return { store: open(), second: open(), reopen: open, dispose: () => rm(folder, { recursive: true, force: true }) }
  },
})

const wanted = process.argv.slice(2)
let passed = 0
const failed: string[] = []
for (const { title, run, timeout } of cases) {
  if (wanted.length > 0 && !wanted.some((word) => title.startsWith(word))) continue
  try {
    await within(timeout, run)
    passed += 1
  } catch (error) {
    failed.push(title)
    console.log(`failed: ${title}\n  ${error instanceof Error ? error.message : String(error)}`)
  }
}
console.log(`${passed} passed, ${failed.length} failed`)
process.exit(failed.length === 0 && passed > 0 ? 0 : 1)
