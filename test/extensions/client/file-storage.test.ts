import { randomUUID } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { createClient } from 'latchkey/client'
import { fileStorage } from 'latchkey/client/node'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { claimOf, type LockTimes, takeAway } from '../../../src/extensions/client/node/file-lock.js'
import { createFileStorage } from '../../../src/extensions/client/node/file-storage.js'
import { TOKEN } from './places.js'
import { call, idOf, MANAGE, makeWorld } from './world.js'

const NEXT = TOKEN.replaceAll('b', 'd')
const QUICK: LockTimes = { beatMs: 20, staleMs: 200, pollMs: 5, patienceMs: 5000 }
/** For tests in which no process dies: a busy machine may stall briefly. */
const CALM: LockTimes = { ...QUICK, staleMs: 10_000, patienceMs: 20_000 }

let folder: string
let path: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'latchkey-client-'))
  path = join(folder, 'token')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const modeOf = async (file: string): Promise<string> => ((await stat(file)).mode & 0o777).toString(8)

it('fileStorage() reads a manually written token with or without a trailing newline', async () => {
  const storage = fileStorage(path)
  expect(await storage.load()).toBeUndefined()
  await writeFile(path, '')
  expect(await storage.load()).toBeUndefined()
  for (const text of [TOKEN, `${TOKEN}\n`, ` ${TOKEN}\r\n`]) {
    await writeFile(path, text)
    expect(await storage.load()).toEqual({ token: TOKEN })
  }
})

it('fileStorage() keeps using the file that a relative path named when it was created, whatever folder the process changes to', async () => {
  const [before, elsewhere] = [process.cwd(), join(folder, 'elsewhere', 'deeper')]
  await mkdir(elsewhere, { recursive: true })
  await writeFile(path, TOKEN)
  const storage = fileStorage(relative(before, path))
  try {
    process.chdir(elsewhere)
    expect(await storage.load()).toEqual({ token: TOKEN })
    await storage.lock(() => Promise.resolve(storage.save({ token: NEXT }, [TOKEN])))
  } finally {
    process.chdir(before)
  }
  expect(await readFile(path, 'utf8')).toBe(`${NEXT}\n`)
  expect(await readdir(folder)).toEqual(['elsewhere', 'token'])
  expect(await readdir(elsewhere)).toEqual([])
  // An error shows where the file was expected.
  const missing = createClient({ manage: MANAGE, ...fileStorage('no-such-token') })
  await expect(missing.fetch(`${new URL(MANAGE).origin}/x`)).rejects.toThrow(JSON.stringify(join(before, 'no-such-token')))
})

it('fileStorage() stores only the token in the file, so other programs can read it even during a rotation', async () => {
  const storage = fileStorage(path)
  await storage.lock(async () => {
    await storage.save({ token: TOKEN, rotation: 'a note' })
    expect(await readFile(path, 'utf8')).toBe(`${TOKEN}\n`)
    expect(await storage.load()).toEqual({ token: TOKEN, rotation: 'a note' })
    await storage.save({ token: NEXT })
  })
  expect(await readFile(path, 'utf8')).toBe(`${NEXT}\n`)
  expect(await storage.load()).toEqual({ token: NEXT })
  expect(await readdir(folder)).toEqual(['token'])
})

it.skipIf(process.platform === 'win32')(
  'fileStorage() makes its files readable only by the owner unless the file already allows its group to read it',
  async () => {
    const storage = fileStorage(path)
    await storage.lock(() => Promise.resolve(storage.save({ token: TOKEN, rotation: 'a note' })))
    expect([await modeOf(path), await modeOf(`${path}.rotation`)]).toEqual(['600', '600'])
    await chmod(path, 0o640)
    await storage.lock(() => Promise.resolve(storage.save({ token: NEXT })))
    expect(await modeOf(path)).toBe('640')
  },
)

it.skipIf(process.platform === 'win32').each(['644', '604', '666', '777'])(
  'fileStorage() replaces a token file that everyone can access, mode %s, with a private one',
  async (mode) => {
    await writeFile(path, TOKEN)
    await chmod(path, Number.parseInt(mode, 8))
    const storage = fileStorage(path)
    await storage.lock(() => Promise.resolve(storage.save({ token: NEXT }, [TOKEN])))
    expect(await modeOf(path)).toBe('600')
  },
)

it.skipIf(process.platform === 'win32')('fileStorage() writes to the target of a symbolic link and keeps the link', async () => {
  await mkdir(join(folder, 'real'))
  const target = join(folder, 'real', 'token')
  await writeFile(target, TOKEN)
  await symlink(target, path)
  const storage = fileStorage(path)
  await storage.lock(() => Promise.resolve(storage.save({ token: NEXT })))
  expect(await readlink(path)).toBe(target)
  expect(await readFile(target, 'utf8')).toBe(`${NEXT}\n`)
})

it('fileStorage() allows only one lock holder at a time', async () => {
  const storages = Array.from({ length: 8 }, () => createFileStorage(path, CALM))
  let inside = 0
  let most = 0
  let runs = 0
  await Promise.all(
    storages.map((storage) =>
      storage.lock(async () => {
        inside += 1
        most = Math.max(most, inside)
        await new Promise((resolve) => setTimeout(resolve, 10))
        runs += 1
        inside -= 1
      }),
    ),
  )
  expect([most, runs]).toEqual([1, 8])
  expect(await readdir(folder)).toEqual([])
})

it('fileStorage() releases its lock when the work fails', async () => {
  const storage = createFileStorage(path, QUICK)
  await expect(storage.lock(() => Promise.reject(new Error('failed')))).rejects.toThrow('failed')
  expect(await readdir(folder)).toEqual([])
})

it("fileStorage() lets only one waiter at a time take over a dead process's lock, and removes that process's draft", async () => {
  const dead = randomUUID()
  await writeFile(`${path}.lock`, dead)
  await writeFile(`${path}.${dead}.draft`, NEXT)
  let inside = 0
  let most = 0
  await Promise.all(
    Array.from({ length: 8 }, () =>
      createFileStorage(path, QUICK).lock(async () => {
        inside += 1
        most = Math.max(most, inside)
        await new Promise((resolve) => setTimeout(resolve, 20))
        inside -= 1
      }),
    ),
  )
  expect(most).toBe(1)
  expect(await readdir(folder)).toEqual([])
})

it('fileStorage() takes over a lock with unexpected contents and removes no other file', async () => {
  await mkdir(join(folder, 'token.lock.x'))
  await mkdir(join(folder, 'home'))
  await writeFile(join(folder, 'home', 'important'), 'kept')
  await writeFile(`${path}.lock`, 'x/../home/important')
  await createFileStorage(path, QUICK).lock(() => Promise.resolve())
  expect(await readFile(join(folder, 'home', 'important'), 'utf8')).toBe('kept')
  expect((await readdir(folder)).sort()).toEqual(['home', 'token.lock.x'])
})

it('a file lock is removed only if its owner is unchanged, and only once by concurrent attempts', async () => {
  const lock = `${path}.lock`
  await writeFile(lock, 'fresh')
  expect(await takeAway(lock, 'stale')).toBe(false)
  expect(await readFile(lock, 'utf8')).toBe('fresh')
  expect((await Promise.all(Array.from({ length: 8 }, () => takeAway(lock, 'fresh')))).filter(Boolean)).toEqual([true])
  expect(await takeAway(lock, 'fresh')).toBe(false)
  expect(await readdir(folder)).toEqual([])
})

it('a file lock that another process has claimed is not removed, unless that process is dead', async () => {
  const lock = `${path}.lock`
  await writeFile(lock, 'dead')
  await writeFile(claimOf(lock, 'dead'), '')
  expect(await takeAway(lock, 'dead')).toBe(false)
  expect(await readFile(lock, 'utf8')).toBe('dead')
  await createFileStorage(path, QUICK).lock(() => Promise.resolve())
  expect(await readdir(folder)).toEqual([])
})

it("the age of a file lock is measured with the reader's own clock, and a live lock is never taken over, whatever the file's mtime is", async () => {
  await writeFile(`${path}.lock`, 'alive')
  const beat = setInterval(() => void utimes(`${path}.lock`, new Date(0), new Date(Math.random() * 1e6)), 20)
  try {
    await expect(createFileStorage(path, { ...QUICK, patienceMs: 800 }).lock(() => Promise.resolve())).rejects.toThrow(
      'another process holds the file lock',
    )
    expect(await readFile(`${path}.lock`, 'utf8')).toBe('alive')
  } finally {
    clearInterval(beat)
  }
})

it('fileStorage() keeps its lock alive while the work runs', async () => {
  const worker = createFileStorage(path, QUICK)
  const waiting = createFileStorage(path, QUICK)
  const order: string[] = []
  await Promise.all([
    worker.lock(async () => {
      await new Promise((resolve) => setTimeout(resolve, 800))
      order.push('worker')
    }),
    new Promise((resolve) => setTimeout(resolve, 50)).then(() => waiting.lock(async () => void order.push('waiting'))),
  ])
  expect(order).toEqual(['worker', 'waiting'])
})

it('fileStorage() writes nothing after losing its lock, and does not touch the new owner’s lock', async () => {
  const storage = createFileStorage(path, { ...QUICK, beatMs: 60_000 })
  await writeFile(path, TOKEN)
  await storage.lock(async () => {
    await createFileStorage(path, QUICK).lock(async () => {
      await expect(storage.save({ token: NEXT })).rejects.toThrow('the file lock was lost')
    })
  })
  expect(await readFile(path, 'utf8')).toBe(TOKEN)
  expect(await readdir(folder)).toEqual(['token'])
})

it('fileStorage() writes nothing without the lock', async () => {
  await expect(Promise.resolve(fileStorage(path).save({ token: TOKEN }))).rejects.toThrow('the file lock was lost')
  expect(await readdir(folder)).toEqual([])
})

it('fileStorage() does not overwrite a token that a person has written since the file was read', async () => {
  await writeFile(path, TOKEN)
  const storage = fileStorage(path)
  const theirs = TOKEN.replaceAll('b', 'f')
  await storage.lock(async () => {
    await storage.load()
    await writeFile(path, theirs)
    await expect(Promise.resolve(storage.save({ token: NEXT }, [TOKEN, NEXT]))).rejects.toThrow('the file was changed')
    expect(await readFile(path, 'utf8')).toBe(theirs)
    await storage.save({ token: NEXT }, [theirs])
  })
  expect(await readFile(path, 'utf8')).toBe(`${NEXT}\n`)
  expect(await readdir(folder)).toEqual(['token'])
})

it.each([
  ['before the rotation', 1, []],
  ['after the rotation', 2, ['successor_unused']],
])('the client adopts a token that a person writes to the file just as the client saves its own token, %s', async (_, at, reported) => {
  const world = await makeWorld()
  const [first, theirs] = [await world.mint(), await world.mint()]
  await writeFile(path, first)
  const storage = createFileStorage(path, CALM)
  const errors: string[] = []
  let saves = 0
  const client = createClient({
    manage: MANAGE,
    fetch: world.fetch,
    onError: ({ code }) => errors.push(code),
    ...storage,
    async save(...given) {
      saves += 1
      if (saves === at) await writeFile(path, theirs)
      await storage.save(...given)
    },
  })
  await client.rotate()
  expect(world.count('POST /self/rotate')).toBe(at - 1)
  await expect.poll(async () => (await call(client)).caller, { timeout: 10_000 }).toBe(idOf(theirs))
  expect((await readFile(path, 'utf8')).trim()).toBe(theirs)
  expect(errors).toEqual(reported)
  await world.close()
})

it('the client reports why a path is not writable and does not rotate', async () => {
  const world = await makeWorld()
  const token = await world.mint()
  const client = createClient({
    manage: MANAGE,
    token,
    fetch: world.fetch,
    onError: () => undefined,
    ...fileStorage(join(folder, 'missing', 'token')),
  })
  await expect(client.rotate()).rejects.toMatchObject({ code: 'storage_failed', message: expect.stringContaining('ENOENT') })
  expect(world.count('POST /self/rotate')).toBe(0)
  expect((await call(client)).status).toBe(200)
  await world.close()
})

it('only one of several clients on the same file rotates, and all continue with its token', async () => {
  const world = await makeWorld()
  await writeFile(path, await world.mint({ rotateEvery: 86_400 }))
  const errors: unknown[] = []
  const clients = Array.from({ length: 6 }, () =>
    createClient({ manage: MANAGE, fetch: world.fetch, onError: (error) => errors.push(error), ...createFileStorage(path, CALM) }),
  )
  for (let rotations = 0; rotations <= 3; rotations += 1) {
    expect((await Promise.all(clients.map((client) => call(client)))).map(({ status }) => status)).toEqual(Array(6).fill(200))
    await Promise.all(clients.map((client) => client.settled()))
    expect(world.count('POST /self/rotate')).toBe(rotations)
    const { token = '' } = (await fileStorage(path).load()) ?? {}
    expect(new Set((await Promise.all(clients.map((client) => call(client)))).map(({ caller }) => caller))).toEqual(new Set([idOf(token)]))
    await Promise.all(clients.map((client) => client.settled()))
    world.advance(86_401)
  }
  expect(errors).toEqual([])
  await expect.poll(() => readdir(folder)).toEqual(['token'])
  await world.close()
})

it('a client whose token file is deleted keeps its token, says so once, and creates no file', async () => {
  const world = await makeWorld()
  try {
    const first = await world.mint()
    await writeFile(path, first)
    const codes: string[] = []
    const client = createClient({
      manage: MANAGE,
      fetch: world.fetch,
      ...fileStorage(path),
      onError: ({ code, message }) => codes.push(`${code} ${message.includes(path)}`),
    })
    await call(client)
    await rm(path)
    for (let times = 0; times < 3; times += 1) await expect(client.rotate()).rejects.toMatchObject({ code: 'storage_failed' })
    expect(await call(client)).toEqual({ status: 200, caller: idOf(first) })
    expect(await readdir(folder)).toEqual([])
    expect(codes).toEqual(['storage_failed true'])
    await writeFile(path, first)
    await client.rotate()
    expect((await call(client)).caller).toBe(idOf((await readFile(path, 'utf8')).trim()))
    expect(codes).toHaveLength(1)
  } finally {
    await world.close()
  }
})
