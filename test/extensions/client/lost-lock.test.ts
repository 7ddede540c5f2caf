import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Client, ClientOptions, ClientStorage } from 'latchkey/client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { LockTimes } from '../../../src/extensions/client/node/file-lock.js'
import { createFileStorage } from '../../../src/extensions/client/node/file-storage.js'
import { call, holder, idOf, makeWorld, type Shelf, shelf, type World } from './world.js'

/** A suspended process does not update its lock. */
const SUSPENDED: LockTimes = { beatMs: 60_000, staleMs: 500, pollMs: 5, patienceMs: 60_000 }
const AWAKE: LockTimes = { beatMs: 20, staleMs: 500, pollMs: 5, patienceMs: 60_000 }

let world: World

beforeEach(async () => {
  world = await makeWorld()
})
afterEach(() => world.close())

type Storage = Required<ClientStorage>

/** Storage that several processes share. A process that is suspended for too long loses its lock. */
type Shared = {
  /** Storage as seen by a process that is about to be suspended. */
  suspended(): Storage
  awake(): Storage
  /** Takes the lock away from the process that holds it. */
  lapse(): void
}

/** A lock like those that hosts write: it expires without notifying its holder. */
function lapsingLock(): { lock: Storage['lock']; lapse(): void } {
  let holding: object | undefined
  const wake: (() => void)[] = []
  const free = (): void => {
    holding = undefined
    for (const next of wake.splice(0)) next()
  }
  return {
    lapse: free,
    async lock(work) {
      const ticket = {}
      while (holding !== undefined) await new Promise<void>((resolve) => wake.push(resolve))
      holding = ticket
      await work().finally(() => {
        if (holding === ticket) free()
      })
    },
  }
}

/** Storage that keeps a token unknown to the client, as the contract allows. */
function careful(store: Shelf): Pick<Storage, 'load' | 'save'> {
  return {
    load: store.load,
    save(state, replaces = []) {
      if (!replaces.includes(store.token)) throw new Error('the storage was changed')
      store.save(state)
    },
  }
}

const folders: string[] = []
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true })
})

const STORAGES: { readonly [name: string]: (token: string) => Promise<Shared> } = {
  async 'a shared file'(token) {
    const folder = await mkdtemp(join(tmpdir(), 'latchkey-client-'))
    folders.push(folder)
    const path = join(folder, 'token')
    await writeFile(path, token)
    const storage = (times: LockTimes): Storage => createFileStorage(path, times)
    return { suspended: () => storage(SUSPENDED), awake: () => storage(AWAKE), lapse: () => undefined }
  },
  async 'a custom storage whose lock expires'(token) {
    const { lock, lapse } = lapsingLock()
    const { load, save } = careful(shelf(token))
    const storage = (): Storage => ({ lock, load, save })
    return { suspended: storage, awake: storage, lapse }
  },
}

/** A point at which the test suspends a client. */
type Gate = { readonly reached: Promise<void>; pass(): Promise<void>; open(): void }

function gate(): Gate {
  let reach = (): void => undefined
  let open = (): void => undefined
  const reached = new Promise<void>((resolve) => {
    reach = resolve
  })
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return {
    reached,
    open: () => open(),
    pass: () => {
      reach()
      return opened
    },
  }
}

/** Suspends a client's first rotation request before the server receives it, or after the server answered. */
function held(at: Gate, when: 'before' | 'after'): ClientOptions['fetch'] {
  let isFirst = true
  return async (input, init) => {
    const stops = isFirst && String(input).endsWith('/self/rotate')
    if (stops) isFirst = false
    if (stops && when === 'before') await at.pass()
    const response = await world.fetch(input, init)
    if (stops && when === 'after') await at.pass()
    return response
  }
}

type Process = { readonly client: Client; readonly errors: readonly { readonly code: string }[] }

function start(storage: Storage, options: Partial<ClientOptions> = {}): Process {
  return holder(world, shelf(), { deadline: '1h', ...storage, ...options })
}

const stored = async ({ awake }: Shared): Promise<string> => (await awake().load())?.token ?? ''
const rotations = (): number => world.count('POST /self/rotate')

/** Checks that all processes work with the stored token, and reported nothing. */
async function expectAllToUse(shared: Shared, ...processes: readonly Process[]): Promise<void> {
  const token = await stored(shared)
  expect((await world.tokens.verify(token)).ok).toBe(true)
  for (const { client, errors } of processes) {
    expect(await call(client)).toEqual({ status: 200, caller: idOf(token) })
    expect(errors).toEqual([])
  }
}

describe.each(Object.keys(STORAGES))('%s', (name) => {
  let first: string
  let shared: Shared

  beforeEach(async () => {
    first = await world.mint()
    shared = (await STORAGES[name]?.(first)) as Shared
  })

  it('a process suspended before its rotation request adopts the token of the process that took over', async () => {
    const pause = gate()
    const [a, b] = [start(shared.suspended(), { fetch: held(pause, 'before') }), start(shared.awake())]
    const rotated = a.client.rotate()
    await pause.reached
    shared.lapse()
    await b.client.rotate()
    const token = await stored(shared)
    pause.open()
    await rotated
    expect(await stored(shared)).toBe(token)
    await expectAllToUse(shared, a, b)
    expect(await world.tokens.system.list({ status: ['revoked'] })).toMatchObject({ items: [] })
  })

  it('a process suspended before it receives its successor adopts the token of the process that took over', async () => {
    const pause = gate()
    const [a, b] = [start(shared.suspended(), { fetch: held(pause, 'after') }), start(shared.awake())]
    const rotated = a.client.rotate()
    await pause.reached
    shared.lapse()
    await b.client.rotate()
    expect((await call(b.client)).status).toBe(200)
    pause.open()
    await rotated
    const token = await stored(shared)
    expect((await call(a.client)).caller).toBe(idOf(token))
    expect((await call(b.client)).caller).toBe(idOf(token))
  })

  it('a resumed process does not end the successor that another process is still saving after it took over', async () => {
    const [pause, saving] = [gate(), gate()]
    const storage = shared.awake()
    const a = start(shared.suspended(), { fetch: held(pause, 'before') })
    const b = start(storage, {
      async save(state, replaces) {
        if (state.token !== first) await saving.pass()
        await storage.save(state, replaces)
      },
    })
    const rotated = [a.client.rotate()]
    await pause.reached
    shared.lapse()
    rotated.push(b.client.rotate())
    await saving.reached
    const before = rotations()
    pause.open()
    await expect.poll(rotations).toBe(before + 1)
    saving.open()
    await Promise.all(rotated)
    await expectAllToUse(shared, a, b)
    expect(rotations()).toBe(before + 1)
  })

  it('a resumed process saves its own successor if the process that took over stopped without replacing it', async () => {
    const pause = gate()
    const storage = shared.awake()
    const a = start(shared.suspended(), { fetch: held(pause, 'after') })
    const rotated = a.client.rotate()
    await pause.reached
    shared.lapse()
    const b = start(storage, {
      fetch: (input, init) =>
        String(input).endsWith('/rotate') ? Promise.reject(new TypeError('fetch failed')) : world.fetch(input, init),
    })
    await expect(b.client.rotate()).rejects.toMatchObject({ code: 'server_unavailable' })
    pause.open()
    await rotated
    await expectAllToUse(shared, a)
    expect((await world.tokens.system.list({})).items).toHaveLength(2)
  })

  it('two suspended processes adopt the token of the process that took over last', async () => {
    const pauses = [gate(), gate()]
    const sleepers: Process[] = []
    const rotated: Promise<void>[] = []
    for (const pause of pauses) {
      const sleeper = start(shared.suspended(), { fetch: held(pause, 'before') })
      sleepers.push(sleeper)
      rotated.push(sleeper.client.rotate())
      await pause.reached
      shared.lapse()
    }
    const last = start(shared.awake())
    await last.client.rotate()
    for (const pause of pauses) pause.open()
    await Promise.all(rotated)
    await expectAllToUse(shared, last, ...sleepers)
    expect((await world.tokens.system.list({})).items).toHaveLength(2)
  })

  it('two suspended processes that resume at the same time agree on one token', async () => {
    const pauses = [gate(), gate()]
    const sleepers: Process[] = []
    const rotated: Promise<void>[] = []
    for (const pause of pauses) {
      const sleeper = start(shared.suspended(), { fetch: held(pause, 'after') })
      sleepers.push(sleeper)
      rotated.push(sleeper.client.rotate())
      await pause.reached
      shared.lapse()
    }
    for (const pause of pauses) pause.open()
    await Promise.all(rotated)
    await expectAllToUse(shared, ...sleepers)
  })

  it('a process suspended before it saves its note adopts the token of the process that took over', async () => {
    const pause = gate()
    const storage = shared.suspended()
    const [a, b] = [
      start(storage, {
        async load() {
          const found = await storage.load()
          if (isHeld) await pause.pass()
          return found
        },
        lock: (work) =>
          storage.lock(async () => {
            isHeld = true
            await work()
          }),
      }),
      start(shared.awake()),
    ]
    let isHeld = false
    const rotated = a.client.rotate()
    await pause.reached
    shared.lapse()
    await b.client.rotate()
    isHeld = false
    pause.open()
    await rotated
    await expectAllToUse(shared, a, b)
  })
})

it('rotate() succeeds if another token is stored just before the successor is saved', async () => {
  const first = await world.mint()
  const given = await world.mint()
  const store = shelf(first)
  const { load, save } = careful(store)
  let isStored = false
  const { client } = holder(world, store, {
    load,
    save(state, replaces) {
      if (state.token !== first && !isStored) {
        isStored = true
        store.put({ token: given })
      }
      return save(state, replaces)
    },
  })
  await client.rotate()
  expect(store.token).toBe(given)
  expect(await call(client)).toEqual({ status: 200, caller: idOf(given) })
})

it('rotate() succeeds if another process notes its rotation just before this one does', async () => {
  const first = await world.mint()
  const store = shelf(first)
  const { load } = careful(store)
  let isFirst = true
  const { client } = holder(world, store, {
    load,
    async save(state, replaces = []) {
      if (isFirst) {
        isFirst = false
        const other = holder(world, store, {})
        await other.client.rotate()
      }
      if (!replaces.includes(store.token)) throw new Error('the storage was changed')
      store.save(state)
    },
  })
  await client.rotate()
  expect(await call(client)).toEqual({ status: 200, caller: idOf(store.token) })
  expect((await world.tokens.system.list({ status: ['active'] })).items.map(({ id }) => id)).toContain(idOf(store.token))
})

it('a client uses the newer stored token if its own successor, which it could not save, is refused', async () => {
  const first = await world.mint()
  const store = shelf(first)
  const save: typeof store.save = (state) => {
    if (state.token !== first) throw new Error('disk full')
    store.save(state)
  }
  const { client } = holder(world, store, { save })
  await client.rotate().catch(() => undefined)
  const given = await world.mint()
  await world.tokens.system.revoke(idOf(first))
  const { items } = await world.tokens.system.list({ status: ['active'] })
  for (const { id } of items) if (id !== idOf(given)) await world.tokens.system.revoke(id)
  store.put({ token: given })
  expect(await call(client)).toEqual({ status: 200, caller: idOf(given) })
})

it('a client adopts a newer token from the storage when the server refuses the old token during a rotation', async () => {
  const first = await world.mint()
  const given = await world.mint()
  const store = shelf(first)
  const { client, errors } = holder(world, store)
  world.intercept(async (request, next) => {
    if (request.url.endsWith('/self')) {
      await world.tokens.system.revoke(idOf(first))
      store.put({ token: given })
    }
    return next()
  })
  await client.rotate()
  expect(await call(client)).toEqual({ status: 200, caller: idOf(given) })
  expect(errors).toEqual([])
})

it('if a slow save restores a successor that is no longer valid, the storage is overwritten with the valid successor', async () => {
  const first = await world.mint()
  const store = shelf(first)
  const { lock, lapse } = lapsingLock()
  const { load, save } = careful(store)
  const [slow, other] = [gate(), gate()]
  const a = start(
    { load, save, lock },
    {
      async save(state, replaces) {
        if (state.rotation === undefined) await slow.pass()
        await save(state, replaces)
      },
    },
  )
  const b = start(
    { load, save, lock },
    {
      async fetch(input, init) {
        const response = await world.fetch(input, init)
        if (response.status === 201) await other.pass()
        return response
      },
    },
  )
  const rotated = [a.client.rotate()]
  await slow.reached
  lapse()
  rotated.push(b.client.rotate())
  await other.reached
  slow.open()
  await rotated[0]
  other.open()
  await rotated[1]
  expect((await world.tokens.verify(store.token)).ok).toBe(true)
  for (const { client } of [a, b]) expect(await call(client)).toEqual({ status: 200, caller: idOf(store.token) })
})

// The server must replace a lost successor even if it has been used.
it('a process killed while it uses a successor that it could not save recovers at its next start', async () => {
  const first = await world.mint()
  const store = shelf(first)
  const save: typeof store.save = (state) => {
    if (state.token !== first) throw new Error('disk full')
    store.save(state)
  }
  const killed = holder(world, store, { save, overlap: 4 })
  await killed.client.rotate().catch(() => undefined)
  await expect.poll(async () => (await call(killed.client)).caller, { timeout: 20_000 }).not.toBe(idOf(first))
  const { client, errors } = holder(world, store)
  await call(client)
  await client.settled()
  expect(store.token).not.toBe(first)
  expect(await call(client)).toEqual({ status: 200, caller: idOf(store.token) })
  expect(errors).toEqual([])
})

it('work that lost its lock does not take away the lock of the work after it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-lock-'))
  try {
    const path = join(folder, 'token')
    await writeFile(path, 'old')
    const storage = createFileStorage(path, AWAKE)
    let endFirst = (): void => undefined
    let begun = (): void => undefined
    const began = new Promise<void>((resolve) => {
      begun = resolve
    })
    const first = storage.lock(() => {
      begun()
      return new Promise((resolve) => {
        endFirst = resolve
      })
    })
    await began
    // Another process took the lock over while this one was suspended, and is done.
    await rm(`${path}.lock`)
    await storage.lock(async () => {
      endFirst()
      await first
      await storage.save({ token: 'new', rotation: undefined }, ['old'])
    })
    expect(await storage.load()).toMatchObject({ token: 'new' })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
