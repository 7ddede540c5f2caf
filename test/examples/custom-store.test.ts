import { appendFile, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { storeContract } from 'latchkey/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { logStore } from '../../examples/custom-store.js'
import { findOne, insert, token } from '../../src/testing/store-contract/build.js'

const folders: string[] = []
const remove = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true })

async function newFile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-log-'))
  folders.push(folder)
  return join(folder, 'tokens.log')
}

afterEach(async () => {
  await Promise.all(folders.splice(0).map(remove))
})

storeContract(
  { describe, it },
  {
    name: 'the example of a custom store',
    operations: 600,
    async create() {
      const path = await newFile()
      return { store: logStore(path), reopen: () => logStore(path) }
    },
  },
)

describe('the log file of the custom store example', () => {
  it('the custom store drops an incomplete last line that a killed process left behind, and nothing before it', async () => {
    const path = await newFile()
    const first = logStore(path)
    const [kept, torn] = [token('acme'), token('acme')]
    await insert(first, [kept])
    await insert(first, [torn])
    await first.close?.()
    await truncate(path, (await stat(path)).size - 10)

    const second = logStore(path)
    expect(await findOne(second, kept.id)).toEqual(kept)
    expect(await findOne(second, torn.id)).toBe(undefined)
    await insert(second, [torn])
    await second.close?.()
    const third = logStore(path)
    expect(await findOne(third, torn.id)).toEqual(torn)
    await third.close?.()
  })

  it('the custom store refuses to open a damaged file and leaves it unchanged', async () => {
    const path = await newFile()
    await writeFile(path, '{"do":"change"\n{}\n')
    const store = logStore(path)
    await expect((async () => store.find([]))()).rejects.toThrow(SyntaxError)
    expect(await readFile(path, 'utf8')).toBe('{"do":"change"\n{}\n')
  })

  it("the custom store does not overwrite another process's changes and continues from the file’s contents", async () => {
    const path = await newFile()
    const store = logStore(path)
    const [mine, theirs] = [token('acme'), token('acme')]
    await insert(store, [mine])
    await appendFile(path, `${JSON.stringify({ do: 'change', change: { inserts: [theirs], events: [] } })}\n`)
    await expect((async () => store.commit({ inserts: [token('acme')], events: [] }))()).rejects.toThrow('another process')
    expect(await findOne(store, theirs.id)).toEqual(theirs)
    expect(await findOne(store, mine.id)).toEqual(mine)
    await store.close?.()
  })

  it("the custom store's file is readable only by its owner", async () => {
    const path = await newFile()
    const store = logStore(path)
    await store.migrate?.()
    expect((await stat(path)).mode & 0o077).toBe(0)
    await store.close?.()
  })
})
