import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Between, call, holder, idOf, makeWorld, shelf, type World } from './world.js'

let world: World

beforeEach(async () => {
  world = await makeWorld()
})
afterEach(() => world.close())

/** Lets the server rotate, but drops its first `times` responses. */
function losing(times: number): Between {
  let left = times
  return async (request, next) => {
    const response = await next()
    if (!request.url.endsWith('/self/rotate') || left === 0) return response
    left -= 1
    throw new TypeError('fetch failed', { cause: new Error('socket hang up') })
  }
}

/** The IDs of the active tokens. */
async function alive(): Promise<readonly string[]> {
  const { items } = await world.tokens.system.list({ status: ['active'] })
  return items.map(({ id }) => id)
}

it('a client recovers from a lost rotation response with a new successor that replaces the lost one', async () => {
  const first = await world.mint()
  const store = shelf(first)
  const { client, errors } = holder(world, store)
  world.intercept(losing(1))
  await expect(client.rotate()).rejects.toMatchObject({
    code: 'server_unavailable',
    message: expect.stringMatching(/^POST https:.*\/self\/rotate failed: fetch failed: socket hang up$/),
  })
  expect(await call(client)).toEqual({ status: 200, caller: idOf(first) })
  world.advance(2)
  await call(client)
  await client.settled()
  const token = store.token
  const rotation = store.kept?.rotation
  expect(await call(client)).toEqual({ status: 200, caller: idOf(token) })
  expect(rotation).toBeUndefined()
  expect(errors).toHaveLength(1)
  // The old token in its overlap, and one successor. The successor that no client received is revoked.
  expect([...(await alive())].sort()).toEqual([idOf(first), idOf(token)].sort())
})

it.each([2, 3, 5])('a client recovers from %s lost rotation responses in a row', async (times) => {
  const first = await world.mint()
  const store = shelf(first)
  const { client, errors } = holder(world, store)
  world.intercept(losing(times))
  for (let n = 0; n < times * 2; n += 1) {
    await client.rotate().catch(() => undefined)
    expect((await call(client)).status).toBe(200)
    if (store.token !== first) break
  }
  expect(errors).toHaveLength(times)
  expect([...(await alive())].sort()).toEqual([idOf(first), idOf(store.token)].sort())
})

it('a process killed before saving the new token finishes the rotation at its next start', async () => {
  const first = await world.mint()
  const store = shelf(first)
  const killed = holder(world, store)
  world.intercept(losing(1))
  await killed.client.rotate().catch(() => undefined)
  expect(store.kept).toEqual({ token: first, rotation: expect.stringContaining(idOf(first)) })
  const { client, errors } = holder(world, store, { overlap: '2h' })
  expect((await call(client)).status).toBe(200)
  await client.settled()
  expect(store.token).not.toBe(first)
  expect(await call(client)).toEqual({ status: 200, caller: idOf(store.token) })
  expect(errors).toEqual([])
})

it('the client resends a request that never reached the server', async () => {
  const first = await world.mint()
  const store = shelf(first)
  const { client } = holder(world, store)
  let lost = false
  world.intercept((request, next) => {
    if (!request.url.endsWith('/self/rotate') || lost) return next()
    lost = true
    throw new TypeError('fetch failed')
  })
  await expect(client.rotate()).rejects.toMatchObject({ code: 'server_unavailable' })
  await client.rotate()
  expect((await world.tokens.verify(store.token)).ok).toBe(true)
  const { items } = await world.tokens.system.list({})
  expect(items).toHaveLength(2)
})

it('a delayed duplicate of a rotation request does not affect the successor', async () => {
  const first = await world.mint()
  const store = shelf(first)
  const { client } = holder(world, store)
  const copies: Request[] = []
  const lose = losing(2)
  world.intercept((request, next) => {
    if (request.url.endsWith('/self/rotate')) copies.push(request.clone())
    return lose(request, next)
  })
  for (let n = 0; n < 4; n += 1) await client.rotate().catch(() => undefined)
  world.restore()
  const token = store.token
  expect(copies.length).toBeGreaterThan(3)
  for (const copy of copies) await world.fetch(copy)
  expect(await call(client)).toEqual({ status: 200, caller: idOf(token) })
})

it('a holder that lost the response and was suspended past the overlap is told to replace the token manually', async () => {
  const first = await world.mint()
  const store = shelf(first)
  const { client, errors } = holder(world, store)
  world.intercept(losing(1))
  await client.rotate().catch(() => undefined)
  world.advance(2 * 3600)
  expect((await call(client)).status).toBe(401)
  await client.settled()
  expect(errors.at(-1)).toMatchObject({ code: 'token_refused', status: 401, reason: 'token_expired' })
  // The client then picks up a manually stored token without a restart.
  const given = await world.mint()
  store.put({ token: given })
  world.advance(2)
  expect(await call(client)).toEqual({ status: 200, caller: idOf(given) })
})

it('a rotation can still be finished in the same process if the storage saves only the token', async () => {
  const first = await world.mint()
  const store = shelf(first)
  const save = ({ token }: { token: string }): void => store.save({ token })
  const { client } = holder(world, store, { save })
  world.intercept(losing(1))
  await client.rotate().catch(() => undefined)
  await client.rotate()
  expect(store.token).not.toBe(first)
  expect((await world.tokens.verify(store.token)).ok).toBe(true)
})

it('the client uses a new idempotency key for each rotation and keeps it until the rotation finishes', async () => {
  const { client } = holder(world, shelf(await world.mint()))
  world.intercept(losing(1))
  await client.rotate().catch(() => undefined)
  await client.rotate()
  await client.rotate()
  const keys = world.requests.filter(({ route }) => route === 'POST /self/rotate').map(({ headers }) => headers.get('idempotency-key'))
  expect(new Set(keys).size).toBe(2)
  for (const key of keys) expect(key).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
})
