import { inspect } from 'node:util'
import { type ClientState, createClient } from 'latchkey/client'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { call, holder, idOf, MANAGE, makeWorld, shelf, type World } from './world.js'

let world: World

beforeEach(async () => {
  world = await makeWorld()
})
afterEach(() => world.close())

it('begins with the given token where the storage has none, and keeps its successor there', async () => {
  const store = shelf()
  const token = await world.mint()
  const { client } = holder(world, store, { token })
  expect((await call(client)).caller).toBe(idOf(token))
  await client.rotate()
  expect(store.token).not.toBe(token)
  // The next start has the old token in its environment still.
  const { client: next } = holder(world, store, { token })
  expect((await call(next)).caller).toBe(idOf(store.token))
})

it('works with nothing but a token and a save callback', async () => {
  const token = await world.mint()
  const saved: string[] = []
  const client = createClient({ manage: MANAGE, fetch: world.fetch, token, save: (state) => void saved.push(state.token) })
  await call(client)
  await client.rotate()
  expect(saved).toEqual([token, expect.not.stringContaining(token)])
  expect((await call(client)).caller).toBe(idOf(saved[1] ?? ''))
})

it('refuses to send anything where there is no token yet, and works as soon as there is one', async () => {
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
])('rotates nothing where save() %s before the rotation', async (_, save) => {
  const token = await world.mint()
  const { client, errors } = holder(world, shelf(token), { save, deadline: 0.05 })
  await expect(client.rotate()).rejects.toMatchObject({ code: 'storage_failed', message: expect.stringContaining('save() failed') })
  expect(world.count('POST /self/rotate')).toBe(0)
  expect(await call(client)).toEqual({ status: 200, caller: idOf(token) })
  expect(errors).toHaveLength(1)
})

it('keeps trying to save the new token, and stays with the old one until it is saved', async () => {
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
  // Asked again, it hears the same; the successor that waits is not replaced by another.
  await expect(client.rotate()).rejects.toMatchObject({ code: 'storage_failed' })
  broken = false
  await vi.waitFor(() => expect(store.token).not.toBe(first), { timeout: 5000 })
  await vi.waitFor(async () => expect((await call(client)).caller).toBe(idOf(store.token)))
  expect(world.count('POST /self/rotate')).toBe(1)
  expect(errors.length).toBeGreaterThan(0)
})

it('uses the new token unsaved before the old one ends, and still saves it as soon as that works', async () => {
  const first = await world.mint()
  const store = shelf(first)
  let broken = true
  const save: typeof store.save = (state) => {
    if (broken && state.token !== first) throw new Error('disk full')
    store.save(state)
  }
  const { client } = holder(world, store, { save, overlap: 4 })
  await client.rotate().catch(() => undefined)
  // A stream cannot be sent again, so nothing but the switch itself shows here.
  const stream = (): RequestInit & { duplex: 'half' } => ({ method: 'POST', body: new Blob(['x']).stream(), duplex: 'half' })
  const outcomes: { status: number; caller: string }[] = []
  await vi.waitFor(
    async () => {
      outcomes.push(await call(client, '/stock', stream()))
      expect(outcomes.at(-1)?.caller).not.toBe(idOf(first))
    },
    { timeout: 8000, interval: 50 },
  )
  expect(outcomes.filter(({ status }) => status !== 200)).toEqual([])
  world.advance(10)
  expect((await world.tokens.verify(first)).ok).toBe(false)
  // A 401 has the storage read, which is behind: that is no reason to go back.
  world.intercept((request, next) => (request.url.endsWith('/odd') ? new Response('{}', { status: 401 }) : next()))
  expect((await call(client, '/odd')).status).toBe(401)
  expect((await call(client, '/stock', stream())).status).toBe(200)
  expect(store.token).toBe(first)
  broken = false
  // The pause between two tries is at most as long as what went before, and a second more.
  await vi.waitFor(() => expect(store.token).not.toBe(first), { timeout: 20_000 })
  expect((await call(client)).caller).toBe(idOf(store.token))
}, 40_000)

it('takes the unsaved successor where the old token is refused', async () => {
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
  ['gives junk', () => ({ token: 'Bearer x\r\nEvil: 1' }), 'load() returned something that is not a token'],
  ['gives a list', () => ['a'], 'load() returned something that is not a token'],
  ['gives text', () => 'acme', 'load() returned something that is not a token'],
])('says so where load() %s', async (_, load, message) => {
  const { client } = holder(world, shelf(), { load: load as never, deadline: 0.05 })
  await expect(call(client)).rejects.toMatchObject({ code: 'storage_failed', message })
  expect(world.requests).toEqual([])
})

it('keeps working where load() fails later on', async () => {
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

it.each([
  ['throws', () => Promise.reject(new Error('EACCES')), 'lock() failed: EACCES'],
  ['runs nothing', () => Promise.resolve(), 'lock() did not run the work'],
])('rotates nothing where lock() %s', async (_, lock, message) => {
  const { client } = holder(world, shelf(await world.mint()), { lock })
  await expect(client.rotate()).rejects.toMatchObject({ code: 'storage_failed', message })
  expect(world.count('POST /self/rotate')).toBe(0)
  expect((await call(client)).status).toBe(200)
})

it('rotates once where lock() runs the work twice', async () => {
  const lock = async (work: () => Promise<void>): Promise<void> => {
    await Promise.all([work(), work()])
  }
  const { client } = holder(world, shelf(await world.mint()), { lock })
  await client.rotate()
  expect(world.count('POST /self/rotate')).toBe(1)
})

it('of two clients on one storage with a lock, one rotates and the other takes over its token', async () => {
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

it('a process that finds its token replaced, while the one that did it still saves, waits for the new one', async () => {
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
  await vi.waitFor(() => expect(world.count('POST /self/rotate')).toBe(1))
  const other = b.client.rotate()
  await vi.waitFor(() => expect(world.count('GET /self')).toBe(4))
  release()
  await Promise.all([rotated, other])
  expect((await call(b.client)).caller).toBe(idOf(store.token))
  expect(world.count('POST /self/rotate')).toBe(1)
  expect([...a.errors, ...b.errors]).toEqual([])
})

it('a process that read the storage before another began to rotate finishes what that one left when it was killed', async () => {
  const first = await world.mint()
  const store = shelf(first)
  const killed = holder(world, store, { save: (state) => (state.token === first ? store.save(state) : new Promise<void>(() => undefined)) })
  let hidden = true
  // Between the first read, which has no note yet, and the second, under the lock, the other process rotates and dies.
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
  await vi.waitFor(() => expect(world.count('POST /self/rotate')).toBe(1))
  await client.rotate()
  expect(store.token).not.toBe(first)
  expect((await call(client)).caller).toBe(idOf(store.token))
  expect(errors).toEqual([])
})

it('takes no notice of a note that belongs to another token', async () => {
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

it('a refused request takes the token of the moment, though the storage cannot be read', async () => {
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
  await vi.waitFor(() => expect(world.count('GET /slow')).toBe(1))
  await client.rotate()
  await world.tokens.system.revoke(idOf(first))
  broken = true
  world.restore()
  release()
  expect(await slow).toEqual({ status: 200, caller: idOf(store.token) })
  expect(errors).toEqual([])
})

it('a slow read of the storage does not bring back the token that was replaced meanwhile', async () => {
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
  await vi.waitFor(() => expect(slow).toBe(false))
  await client.rotate()
  world.restore()
  release()
  expect(await refused).toEqual({ status: 200, caller: idOf(store.token) })
  expect((await call(client)).caller).not.toBe(idOf(first))
})

it('no token and no key shows in errors, in what is printed, or in an address', async () => {
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

it('a listener that throws stops nothing', async () => {
  const { client } = holder(world, shelf(await world.mint({ scopes: ['inventory:read'] })), {
    onError: () => {
      throw new Error('listener')
    },
  })
  expect((await call(client)).status).toBe(200)
  await client.settled()
  expect((await call(client)).status).toBe(200)
})

const ok = { manage: MANAGE, save() {}, load() {} }

it.each<[object | undefined, string]>([
  [undefined, 'save: must be a function'],
  [{ ...ok, save: 1 }, 'save: must be a function'],
  [{ ...ok, load: null }, 'load: must be a function'],
  [{ ...ok, lock: {} }, 'lock: must be a function'],
  [{ ...ok, fetch: 1 }, 'fetch: must be a function'],
  [{ ...ok, onError: 'log' }, 'onError: must be a function'],
  [{ ...ok, load: undefined }, 'token: must be a token'],
  [{ ...ok, token: 'x' }, 'token: must be a token'],
  [{ ...ok, manage: undefined }, 'manage: must be https://'],
  [{ ...ok, manage: '/tokens' }, 'manage: must be https://'],
  [{ ...ok, manage: 'ftp://api.test' }, 'manage: must be https://'],
  [{ ...ok, manage: 'https://u:p@api.test' }, 'manage: must be https://'],
  [{ ...ok, manage: `${MANAGE}?a=1` }, 'manage: must be https://'],
  [{ ...ok, manage: `${MANAGE}#a` }, 'manage: must be https://'],
  [{ ...ok, overlap: 0 }, 'overlap: must be seconds'],
  [{ ...ok, overlap: 1.5 }, 'overlap: must be seconds'],
  [{ ...ok, overlap: '1y' }, 'overlap: must be seconds'],
  [{ ...ok, overlap: '91d' }, 'overlap: must be seconds'],
  [{ ...ok, overlap: Number.NaN }, 'overlap: must be seconds'],
  [{ ...ok, deadline: '' }, 'deadline: must be seconds'],
  [{ ...ok, origins: [] }, 'origins: must be a list'],
  [{ ...ok, origins: 'https://a.test' }, 'origins: must be a list'],
  [{ ...ok, origins: ['https://a.test/x'] }, 'origins: must be https://'],
  [{ ...ok, origins: ['*'] }, 'origins: must be https://'],
  [{ ...ok, overlapSeconds: 5 }, 'overlapSeconds: is no option'],
])('refuses the options %j', (options, message) => {
  expect(() => createClient(options as never)).toThrow(
    expect.objectContaining({ code: 'invalid_input', message: expect.stringContaining(message) }),
  )
})

it.each(['1s', '15m', '12h', '90d', '2w', 30])('takes %s for an overlap', (overlap) => {
  expect(() => createClient({ ...ok, load: () => undefined, overlap: overlap as never })).not.toThrow()
})
