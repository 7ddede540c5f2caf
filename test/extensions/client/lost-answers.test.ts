import { afterEach, beforeEach, expect, it } from 'vitest'
import { type Between, call, holder, idOf, makeWorld, shelf, type World } from './world.js'

let world: World

beforeEach(async () => {
  world = await makeWorld()
})
afterEach(() => world.close())

/** Lets the server rotate, and loses what it answers: the first so many times. */
function losing(times: number): Between {
  let left = times
  return async (request, next) => {
    const response = await next()
    if (!request.url.endsWith('/self/rotate') || left === 0) return response
    left -= 1
    throw new TypeError('fetch failed', { cause: new Error('socket hang up') })
  }
}

/** The ids of the tokens that work now. */
async function alive(): Promise<readonly string[]> {
  const { items } = await world.tokens.system.list({ status: ['active'] })
  return items.map(({ id }) => id)
}

it('a lost answer to a rotation strands nobody: the lost successor is replaced by one that arrives', async () => {
  const first = await world.mint()
  const store = shelf(first)
  const { client, errors } = holder(world, store)
  world.intercept(losing(1))
  await expect(client.rotate()).rejects.toMatchObject({
    code: 'server_unavailable',
    message: 'POST /self/rotate failed: fetch failed: socket hang up',
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
  // The old one in its overlap, and one successor: the one that nobody received is revoked.
  expect([...(await alive())].sort()).toEqual([idOf(first), idOf(token)].sort())
})

it.each([2, 3, 5])('%s lost answers in a row strand nobody', async (times) => {
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

it('a process that was killed before it saved the new token finishes the rotation at its next start', async () => {
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

it('a request that got lost before it reached the server is simply sent again', async () => {
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

it('a copy of a request that arrives late harms no successor', async () => {
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

it('where the answer got lost and the overlap is over, the holder hears that a person is needed', async () => {
  const first = await world.mint()
  const store = shelf(first)
  const { client, errors } = holder(world, store)
  world.intercept(losing(1))
  await client.rotate().catch(() => undefined)
  world.advance(2 * 3600)
  expect((await call(client)).status).toBe(401)
  await client.settled()
  expect(errors.at(-1)).toMatchObject({ code: 'token_refused', status: 401, reason: 'token_expired' })
  // And whoever puts a new one there is heard, without a restart.
  const given = await world.mint()
  store.put({ token: given })
  world.advance(2)
  expect(await call(client)).toEqual({ status: 200, caller: idOf(given) })
})

it('a storage that keeps the token only still finishes a rotation in the same process', async () => {
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

it('uses another random key for each rotation, and the same one until it is finished', async () => {
  const { client } = holder(world, shelf(await world.mint()))
  world.intercept(losing(1))
  await client.rotate().catch(() => undefined)
  await client.rotate()
  await client.rotate()
  const keys = world.requests.filter(({ route }) => route === 'POST /self/rotate').map(({ headers }) => headers.get('idempotency-key'))
  expect(new Set(keys).size).toBe(2)
  for (const key of keys) expect(key).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
})
