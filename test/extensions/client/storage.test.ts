import { inspect } from 'node:util'
import { type ClientState, createClient } from 'latchkey/client'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { FAILING_LISTENERS } from '../../support/failing-listeners.js'
import { call, holder, idOf, MANAGE, makeWorld, shelf, type World } from './world.js'

let world: World

beforeEach(async () => {
  world = await makeWorld()
})
afterEach(() => world.close())

it('the client starts with the configured token when the storage is empty, and stores its successor there', async () => {
  const store = shelf()
  const token = await world.mint()
  const { client } = holder(world, store, { token })
  expect((await call(client)).caller).toBe(idOf(token))
  await client.rotate()
  expect(store.token).not.toBe(token)
  // At the next start, the environment still has the old token.
  const { client: next } = holder(world, store, { token })
  expect((await call(next)).caller).toBe(idOf(store.token))
})

it('the client works with only a token and a save callback', async () => {
  const token = await world.mint()
  const saved: string[] = []
  const client = createClient({ manage: MANAGE, fetch: world.fetch, token, save: (state) => void saved.push(state.token) })
  await call(client)
  await client.rotate()
  expect(saved).toEqual([token, expect.not.stringContaining(token)])
  expect((await call(client)).caller).toBe(idOf(saved[1] ?? ''))
})

it('the client refuses to send requests before a token exists, and works once a token is stored', async () => {
  const store = shelf()
  const { client } = holder(world, store)
  await expect(call(client)).rejects.toMatchObject({ code: 'token_missing' })
  expect(world.requests).toEqual([])
  const token = await world.mint()
  store.put({ token })
  expect((await call(client)).caller).toBe(idOf(token))
})

it.each([
  ['throws', () => Promise.reject(new Error('disk full'))],
  ['never answers', () => new Promise<void>(() => undefined)],
])('the client does not rotate when save() %s before the rotation', async (_, save) => {
  const token = await world.mint()
  const { client, errors } = holder(world, shelf(token), { save, deadline: 0.05 })
  await expect(client.rotate()).rejects.toMatchObject({ code: 'storage_failed', message: expect.stringContaining('save() failed') })
  expect(world.count('POST /self/rotate')).toBe(0)
  expect(await call(client)).toEqual({ status: 200, caller: idOf(token) })
  expect(errors).toHaveLength(1)
})

it('the client keeps retrying to save the new token, and uses the old token until the new token is saved', async () => {
  const first = await world.mint()
  const store = shelf(first)
  let broken = true
  const save: typeof store.save = (state) => {
    if (broken && state.token !== first) throw new Error('disk full')
    store.save(state)
  }
  const { client, errors } = holder(world, store, { save })
  await expect(client.rotate()).rejects.toMatchObject({ code: 'storage_failed', message: 'save() failed: disk full' })
  expect((await call(client)).caller).toBe(idOf(first))
  // A second call fails the same way and does not replace the waiting successor.
  await expect(client.rotate()).rejects.toMatchObject({ code: 'storage_failed' })
  broken = false
  await expect.poll(() => store.token).not.toBe(first)
  await expect.poll(async () => (await call(client)).caller).toBe(idOf(store.token))
  expect(world.count('POST /self/rotate')).toBe(1)
  expect(errors.length).toBeGreaterThan(0)
})

it('the client uses the unsaved new token before the old token expires, and saves the new token once the storage works', async () => {
  const first = await world.mint()
  const store = shelf(first)
  let broken = true
  const save: typeof store.save = (state) => {
    if (broken && state.token !== first) throw new Error('disk full')
    store.save(state)
  }
  const { client } = holder(world, store, { save, overlap: 4 })
  await client.rotate().catch(() => undefined)
  // A stream cannot be resent, so only the switch itself can make these requests succeed.
  const stream = (): RequestInit & { duplex: 'half' } => ({ method: 'POST', body: new Blob(['x']).stream(), duplex: 'half' })
  const outcomes: { status: number; caller: string }[] = []
  await vi.waitFor(
    async () => {
      outcomes.push(await call(client, '/stock', stream()))
      expect(outcomes.at(-1)?.caller).not.toBe(idOf(first))
    },
    { timeout: 20_000, interval: 50 },
  )
  expect(outcomes.filter(({ status }) => status !== 200)).toEqual([])
  world.advance(10)
  expect((await world.tokens.verify(first)).ok).toBe(false)
  // After a 401 the client reads the storage, which still has the old token. The client must not switch back to it.
  world.intercept((request, next) => (request.url.endsWith('/odd') ? new Response('{}', { status: 401 }) : next()))
  expect((await call(client, '/odd')).status).toBe(401)
  expect((await call(client, '/stock', stream())).status).toBe(200)
  expect(store.token).toBe(first)
  broken = false
  // The delay before a retry is at most the time elapsed so far plus one second.
  await expect.poll(() => store.token).not.toBe(first)
  expect((await call(client)).caller).toBe(idOf(store.token))
}, 120_000)

it('the client switches to the unsaved successor when the old token is rejected', async () => {
  const first = await world.mint()
  const store = shelf(first)
  const save: typeof store.save = ({ token }) => {
    if (token !== first) throw new Error('disk full')
  }
  const { client } = holder(world, store, { save })
  await client.rotate().catch(() => undefined)
  await world.tokens.system.revoke(idOf(first))
  expect((await call(client)).status).toBe(200)
})

it.each([
  ['throws', () => Promise.reject(new Error('no such secret')), 'load() failed: no such secret'],
  ['never answers', () => new Promise<undefined>(() => undefined), 'load() failed: no answer within 0.05 seconds'],
  ['returns junk', () => ({ token: 'Bearer x\r\nEvil: 1' }), 'load() must return { token } with a complete token'],
  ['returns an array', () => ['a'], 'load() must return { token } with a complete token'],
  ['returns a string', () => 'acme', 'load() must return { token } with a complete token'],
])('the client reports the error when load() %s', async (_, load, message) => {
  const { client } = holder(world, shelf(), { load: load as never, deadline: 0.05 })
  await expect(call(client)).rejects.toMatchObject({ code: 'storage_failed', message })
  expect(world.requests).toEqual([])
})

it('the client keeps working when load() fails later', async () => {
  const store = shelf(await world.mint({ rotateEvery: 86_400 }))
  let broken = false
  const load = (): ReturnType<typeof store.load> => {
    if (broken) throw new Error('gone')
    return store.load()
  }
  const { client, errors } = holder(world, store, { load })
  await call(client)
  await client.settled()
  broken = true
  world.advance(90_000)
  expect((await call(client)).status).toBe(200)
  await client.settled()
  expect(errors.map(({ code }) => code)).toEqual(['storage_failed'])
  broken = false
  world.advance(10)
  await call(client)
  await client.settled()
  expect(world.count('POST /self/rotate')).toBe(1)
})

/** Storage whose token can be lost, as when a folder is unmounted. */
function losable(first: string) {
  const store = shelf(first)
  let isLost = false
  return {
    store,
    lose: (): void => {
      isLost = true
    },
    find: (): void => {
      isLost = false
    },
    load: (): ReturnType<typeof store.load> => (isLost ? undefined : store.load()),
  }
}

it('a client whose storage loses the token keeps the token, reports that once, and starts no rotation until the storage has one', async () => {
  const first = await world.mint({ rotateEvery: 86_400 })
  const { store, lose, find, load } = losable(first)
  const { client, errors } = holder(world, store, { load })
  await call(client)
  await client.settled()
  lose()
  world.advance(90_000)
  for (let times = 0; times < 3; times += 1) {
    expect(await call(client)).toEqual({ status: 200, caller: idOf(first) })
    await client.settled()
    await expect(client.rotate()).rejects.toMatchObject({ code: 'storage_failed' })
    world.advance(3600)
  }
  expect(errors.map(({ code, message }) => `${code}: ${message}`)).toEqual([
    'storage_failed: load() returned no token, although it did before: no rotation starts until it does again',
  ])
  expect(store.saves).toEqual([])
  expect(world.count('POST /self/rotate')).toBe(0)
  find()
  world.advance(3600)
  await call(client)
  await client.settled()
  expect(world.count('POST /self/rotate')).toBe(1)
  expect((await call(client)).caller).toBe(idOf(store.token))
  // It is reported again if it happens again.
  lose()
  await expect(client.rotate()).rejects.toMatchObject({ code: 'storage_failed' })
  expect(errors).toHaveLength(2)
})

it('the client uses another token that is written to the storage after the storage lost its token', async () => {
  const { store, lose, find, load } = losable(await world.mint())
  const { client } = holder(world, store, { load })
  await call(client)
  lose()
  await expect(client.rotate()).rejects.toMatchObject({ code: 'storage_failed' })
  const second = await world.mint()
  store.put({ token: second })
  find()
  world.advance(3600)
  await call(client)
  await client.settled()
  expect((await call(client)).caller).toBe(idOf(second))
})

it('a client whose token is rejected, and whose storage has lost it, returns the 401 and reports the storage', async () => {
  const first = await world.mint()
  const { store, lose, load } = losable(first)
  const { client, errors } = holder(world, store, { load })
  await call(client)
  await client.settled()
  lose()
  await world.tokens.system.revoke(idOf(first))
  expect((await call(client)).status).toBe(401)
  expect(errors.map(({ code }) => code)).toEqual(['storage_failed'])
})

it.each(['before the response', 'before the response, which is lost'])(
  'a client finishes a rotation if the storage loses its token %s, and reports the storage once',
  async (when) => {
    const first = await world.mint()
    const { store, lose, find, load } = losable(first)
    const { client, errors } = holder(world, store, { load })
    let drops = when.endsWith('lost') ? 1 : 0
    world.intercept(async (request, next) => {
      const response = await next()
      if (!request.url.endsWith('/self/rotate')) return response
      lose()
      drops -= 1
      return drops < 0 ? response : new Response('', { status: 502 })
    })
    await client.rotate().catch(() => undefined)
    await client.settled()
    find()
    // The old token ends soon, so the successor must not exist only in memory.
    expect(store.token).not.toBe(first)
    expect((await call(client)).caller).toBe(idOf(store.token))
    expect(errors.filter(({ message }) => message.startsWith('load()')).map(({ code }) => code)).toEqual(['storage_failed'])
  },
)

it.each([
  ['throws', () => Promise.reject(new Error('EACCES')), 'lock() failed: EACCES'],
  ['runs nothing', () => Promise.resolve(), 'lock() did not run the work'],
])('the client does not rotate when lock() %s', async (_, lock, message) => {
  const { client } = holder(world, shelf(await world.mint()), { lock })
  await expect(client.rotate()).rejects.toMatchObject({ code: 'storage_failed', message })
  expect(world.count('POST /self/rotate')).toBe(0)
  expect((await call(client)).status).toBe(200)
})

it('the client rotates once when lock() runs the work twice', async () => {
  const lock = async (work: () => Promise<void>): Promise<void> => {
    await Promise.all([work(), work()])
  }
  const { client } = holder(world, shelf(await world.mint()), { lock })
  await client.rotate()
  expect(world.count('POST /self/rotate')).toBe(1)
})

it('when two clients share a locked storage, one client rotates and the other adopts its token', async () => {
  const store = shelf(await world.mint({ rotateEvery: 86_400 }))
  let last: Promise<void> = Promise.resolve()
  const lock = (work: () => Promise<void>): Promise<void> => {
    last = last.then(work, work)
    return last
  }
  const [a, b] = [holder(world, store, { lock }), holder(world, store, { lock })]
  await Promise.all([call(a.client), call(b.client)])
  await Promise.all([a.client.settled(), b.client.settled()])
  world.advance(90_000)
  await Promise.all([call(a.client), call(b.client)])
  await Promise.all([a.client.settled(), b.client.settled()])
  const token = idOf(store.token)
  expect([(await call(a.client)).caller, (await call(b.client)).caller]).toEqual([token, token])
  expect(world.count('POST /self/rotate')).toBe(1)
  expect([...a.errors, ...b.errors]).toEqual([])
})

it('a process whose token was replaced waits for the other process to save the new token', async () => {
  const store = shelf(await world.mint({ rotateEvery: 86_400 }))
  let last: Promise<void> = Promise.resolve()
  const lock = (work: () => Promise<void>): Promise<void> => {
    last = last.then(work, work)
    return last
  }
  let release = (): void => undefined
  const slow = async (state: ClientState): Promise<void> => {
    if (state.rotation !== undefined) return
    await new Promise<void>((resolve) => {
      release = resolve
    })
    store.save(state)
  }
  const [a, b] = [holder(world, store, { lock, save: slow }), holder(world, store, { lock })]
  await Promise.all([call(a.client), call(b.client)])
  await Promise.all([a.client.settled(), b.client.settled()])
  const rotated = a.client.rotate()
  await expect.poll(() => world.count('POST /self/rotate')).toBe(1)
  const other = b.client.rotate()
  await expect.poll(() => world.count('GET /self')).toBe(4)
  release()
  await Promise.all([rotated, other])
  expect((await call(b.client)).caller).toBe(idOf(store.token))
  expect(world.count('POST /self/rotate')).toBe(1)
  expect([...a.errors, ...b.errors]).toEqual([])
})

it('a process finishes a rotation that another process started before it was killed', async () => {
  const first = await world.mint()
  const store = shelf(first)
  const killed = holder(world, store, { save: (state) => (state.token === first ? store.save(state) : new Promise<void>(() => undefined)) })
  let hidden = true
  // The other process rotates and dies between the first read, which has no note yet, and the second read under the lock.
  const { client, errors } = holder(world, store, {
    load: () => (hidden ? { token: first } : store.load()),
    lock: async (work) => {
      hidden = false
      await work()
    },
  })
  await call(client)
  await client.settled()
  void killed.client.rotate().catch(() => undefined)
  await expect.poll(() => world.count('POST /self/rotate')).toBe(1)
  await client.rotate()
  expect(store.token).not.toBe(first)
  expect((await call(client)).caller).toBe(idOf(store.token))
  expect(errors).toEqual([])
})

it('the client adopts a token that a person stores during a rotation, and names the unused successor', async () => {
  const first = await world.mint({ rotateEvery: 86_400 })
  const given = await world.mint()
  const store = shelf(first)
  const { client, errors } = holder(world, store)
  await call(client)
  let successor = ''
  world.intercept(async (request, next) => {
    const response = await next()
    if (request.url.endsWith('/rotate')) {
      successor = ((await response.clone().json()) as { record: { id: string } }).record.id
      store.put({ token: given })
    }
    return response
  })
  await client.rotate()
  expect(store.kept).toEqual({ token: given })
  expect((await call(client)).caller).toBe(idOf(given))
  expect(errors.map(({ code, message }) => `${code}: ${message}`)).toEqual([
    `successor_unused: the storage has another token, so the successor ${successor} is not used: revoke it`,
  ])
})

it('the client adopts a token that a person stores while the successor cannot be saved', async () => {
  const first = await world.mint()
  const given = await world.mint()
  const store = shelf(first)
  const save: typeof store.save = (state) => {
    if (state.token !== first) throw new Error('disk full')
    store.save(state)
  }
  const { client, errors } = holder(world, store, { save })
  await client.rotate().catch(() => undefined)
  store.put({ token: given })
  await expect.poll(async () => (await call(client)).caller).toBe(idOf(given))
  expect(store.token).toBe(given)
  expect(errors.map(({ code }) => code)).toEqual(['storage_failed', 'successor_unused'])
})

it.each([
  ['fails', () => Promise.reject(new Error('gone'))],
  ['still returns the token before the last one', (before: string) => ({ token: before })],
])('the client saves the new token even if load() %s during the rotation', async (_, answer) => {
  const first = await world.mint()
  const store = shelf(first)
  let isOdd = false
  const load = (): ReturnType<typeof store.load> => (isOdd ? (answer(first) as ClientState) : store.load())
  const { client, errors } = holder(world, store, { load })
  await client.rotate()
  const second = store.token
  world.intercept((request, next) => {
    isOdd = request.url.endsWith('/rotate')
    return next()
  })
  await client.rotate()
  expect([first, second]).not.toContain(store.token)
  expect((await call(client)).caller).toBe(idOf(store.token))
  expect(errors).toEqual([])
})

it('the client ignores a rotation note for another token', async () => {
  const token = await world.mint()
  const store = shelf()
  store.put({ token, rotation: `${'x'.repeat(16)}.00000000-0000-4000-8000-000000000000.3600` })
  const { client } = holder(world, store)
  await call(client)
  await client.settled()
  expect(world.count('POST /self/rotate')).toBe(0)
  await client.rotate()
  expect(store.saves[0]?.rotation).toContain(idOf(token))
})

it('a rejected request is retried with the current token even when the storage cannot be read', async () => {
  const first = await world.mint()
  const store = shelf(first)
  let broken = false
  const load = (): ReturnType<typeof store.load> => {
    if (broken) throw new Error('gone')
    return store.load()
  }
  const { client, errors } = holder(world, store, { load })
  let release = (): void => undefined
  world.intercept(async (request, next) => {
    if (!request.url.endsWith('/slow')) return next()
    await new Promise<void>((resolve) => {
      release = resolve
    })
    return next()
  })
  const slow = call(client, '/slow')
  await expect.poll(() => world.count('GET /slow')).toBe(1)
  await client.rotate()
  await world.tokens.system.revoke(idOf(first))
  broken = true
  world.restore()
  release()
  expect(await slow).toEqual({ status: 200, caller: idOf(store.token) })
  expect(errors).toEqual([])
})

it('a slow storage read does not restore a token that was replaced in the meantime', async () => {
  const first = await world.mint()
  const store = shelf(first)
  let release = (): void => undefined
  let slow = false
  const load = async (): Promise<ReturnType<typeof store.load>> => {
    const kept = store.load()
    if (slow) {
      slow = false
      await new Promise<void>((resolve) => {
        release = resolve
      })
    }
    return kept
  }
  const { client } = holder(world, store, { load })
  await call(client)
  await client.settled()
  world.intercept((request, next) => (request.url.endsWith('/stock') ? new Response('{}', { status: 401 }) : next()))
  slow = true
  const refused = call(client)
  await expect.poll(() => slow).toBe(false)
  await client.rotate()
  world.restore()
  release()
  expect(await refused).toEqual({ status: 200, caller: idOf(store.token) })
  expect((await call(client)).caller).not.toBe(idOf(first))
})

it('client errors, inspected clients and URLs contain no token or key', async () => {
  const warned: unknown[] = []
  vi.spyOn(console, 'warn').mockImplementation((...parts) => void warned.push(...parts))
  const token = await world.mint()
  const urls: string[] = []
  const printed: string[] = []
  const print = (thing: unknown): void => {
    printed.push(inspect(thing, { depth: 20, showHidden: true, getters: true }), JSON.stringify(thing) ?? '', String(thing))
  }
  const store = shelf(token)
  const client = createClient({
    manage: MANAGE,
    fetch: (input, init) => {
      urls.push(String(input instanceof Request ? input.url : input))
      return world.fetch(input, init)
    },
    load: store.load,
    save: (state) => {
      if (state.token !== token) throw Object.assign(new Error(`PUT failed for ${state.token}`), { config: { data: state } })
      store.save(state)
    },
  })
  print(client)
  await call(client)
  await client.rotate().catch(print)
  world.intercept((request) => {
    throw new Error(`cannot send ${request.headers.get('authorization')}`)
  })
  await client.fetch('https://elsewhere.test/').catch(print)
  print(client)
  print(client.fetch)
  const other = createClient({ manage: MANAGE, token, save: store.save, fetch: world.fetch })
  await other.rotate().catch(print)
  for (const options of [
    { manage: MANAGE, token: `${token}!`, save: store.save },
    { manage: `https://${token}@api.test`, token, save: store.save },
  ]) {
    try {
      createClient(options)
    } catch (error) {
      print(error)
    }
  }
  expect(warned.length).toBeGreaterThan(0)
  expect(printed.length).toBeGreaterThan(12)
  const secret = /_[0-9A-Za-z]{16}_[0-9A-Za-z]{20,}/
  for (const text of [...printed, ...warned, ...urls]) expect(text).not.toMatch(secret)
})

it.each(FAILING_LISTENERS)('an error listener that %s does not stop the client', async (_, fail) => {
  let told = 0
  const { client } = holder(world, shelf(await world.mint({ scopes: ['inventory:read'] })), {
    onError: () => {
      told += 1
      return fail()
    },
  })
  const rejected: unknown[] = []
  const note = (reason: unknown): void => void rejected.push(reason)
  process.on('unhandledRejection', note)
  try {
    expect((await call(client)).status).toBe(200)
    await client.settled()
    expect((await call(client)).status).toBe(200)
    await new Promise((resolve) => setTimeout(resolve))
  } finally {
    process.off('unhandledRejection', note)
  }
  expect(told).toBeGreaterThan(0)
  expect(rejected).toEqual([])
})
