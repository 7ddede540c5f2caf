import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { call, holder, idOf, makeWorld, shelf, type World } from './world.js'

const DAY = 86_400

let world: World

beforeEach(async () => {
  world = await makeWorld()
})
afterEach(() => world.close())

it('the client sends the token from the storage, and asks the server once when rotation is due', async () => {
  const token = await world.mint()
  const { client, errors } = holder(world, shelf(token))
  for (let n = 0; n < 3; n += 1) expect(await call(client)).toEqual({ status: 200, caller: idOf(token) })
  await client.settled()
  expect(world.count('GET /self')).toBe(1)
  expect(world.count('POST /self/rotate')).toBe(0)
  expect(errors).toEqual([])
})

it('the client rotates when rotation is due without failing a request', async () => {
  const store = shelf(await world.mint({ rotateEvery: 30 * DAY }))
  const { client, errors } = holder(world, store)
  const callers = new Set<string>()
  for (let day = 0; day <= 100; day += 1) {
    const { status, caller } = await call(client)
    expect(status).toBe(200)
    callers.add(caller)
    await client.settled()
    world.advance(DAY)
  }
  // After 30, 60 and 90 days, plus or minus the second that the Date header truncates.
  expect(world.count('POST /self/rotate')).toBe(3)
  expect(callers.size).toBe(4)
  expect(errors).toEqual([])
})

it('the client saves the pending rotation before rotating and the new token before using it', async () => {
  const first = await world.mint()
  const store = shelf(first)
  const seen: string[] = []
  const { client } = holder(world, store, {
    save: (state) => {
      seen.push(
        `${state.token === first ? 'old' : 'new'} ${state.rotation === undefined ? 'done' : 'begun'} after ${world.routes().at(-1)}`,
      )
      store.save(state)
    },
  })
  await call(client)
  await client.rotate()
  expect(seen).toEqual(['old begun after GET /self', 'new done after POST /self/rotate'])
  expect((await call(client)).caller).toBe(idOf(store.token))
})

it('the client keeps the old token valid for the requested overlap', async () => {
  const first = await world.mint()
  const { client } = holder(world, shelf(first), { overlap: '2h' })
  await call(client)
  await client.rotate()
  world.advance(2 * 3600 - 60)
  expect((await world.tokens.verify(first)).ok).toBe(true)
  world.advance(120)
  expect((await world.tokens.verify(first)).ok).toBe(false)
})

it('the client rotates an expiring token after two thirds of its lifetime and reports that the expiry does not change', async () => {
  const first = await world.mint({ expiresAt: new Date(world.now() + 90 * DAY * 1000) })
  const store = shelf(first)
  const { client, errors } = holder(world, store)
  const rotatedOn: number[] = []
  for (let day = 0; day < 90; day += 1) {
    const before = store.token
    expect((await call(client)).status).toBe(200)
    await client.settled()
    if (store.token !== before) rotatedOn.push(day)
    world.advance(DAY)
  }
  // Each successor has only the remaining lifetime, so rotations get closer together, but only a few of them happen.
  expect(rotatedOn).toEqual([60, 80, 87, 89])
  expect(errors.map(({ code }) => code)).toEqual(['token_ending', 'token_ending', 'token_ending', 'token_ending'])
  expect(errors[0]?.message).toMatch(/expires at \d{4}-.*create a new token/)
})

it('the client rotates once even when many requests find the token due', async () => {
  const { client } = holder(world, shelf(await world.mint({ rotateEvery: DAY })))
  await call(client)
  await client.settled()
  world.advance(DAY + 1)
  const answers = await Promise.all(Array.from({ length: 50 }, () => call(client)))
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
  await client.settled()
  expect(world.count('POST /self/rotate')).toBe(1)
})

it('the client sends requests without waiting for a rotation', async () => {
  const { client } = holder(world, shelf(await world.mint({ rotateEvery: DAY })))
  await call(client)
  await client.settled()
  world.advance(DAY + 1)
  let release = (): void => undefined
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  world.intercept(async (request, next) => {
    if (request.url.endsWith('/self/rotate')) await held
    return next()
  })
  expect((await call(client)).status).toBe(200)
  await expect.poll(() => world.count('POST /self/rotate')).toBe(1)
  expect((await call(client)).status).toBe(200)
  release()
  await client.settled()
})

it('the client rotates on demand even when rotation is not due, and only once for concurrent calls', async () => {
  const first = await world.mint()
  const store = shelf(first)
  const { client } = holder(world, store)
  await Promise.all([client.rotate(), client.rotate(), client.rotate()])
  expect(world.count('POST /self/rotate')).toBe(1)
  await client.rotate()
  expect(world.count('POST /self/rotate')).toBe(2)
  expect((await world.tokens.verify(store.token)).ok).toBe(true)
})

it.each([-30, 30])("the client follows the server's clock: a holder whose clock is %s hours off rotates on time", async (hours) => {
  const { client, errors } = holder(world, shelf(await world.mint({ rotateEvery: DAY })))
  const wall = Date.now
  vi.spyOn(Date, 'now').mockImplementation(() => wall() + hours * 3_600_000)
  for (const expected of [0, 1, 1, 2]) {
    await call(client)
    await client.settled()
    expect(world.count('POST /self/rotate')).toBe(expected)
    world.advance(DAY / 2 + 1)
    if (expected === 0) world.advance(DAY / 2)
  }
  expect(errors).toEqual([])
})

it('a server whose clock is in the year 9999 causes only one rotation', async () => {
  const { client } = holder(world, shelf(await world.mint({ rotateEvery: DAY })))
  world.intercept(async (_, next) => {
    const response = await next()
    response.headers.set('date', 'Fri, 31 Dec 9999 23:59:59 GMT')
    return response
  })
  for (let n = 0; n < 30; n += 1) {
    await call(client)
    await client.settled()
  }
  expect(world.count('POST /self/rotate')).toBe(1)
})

it('the client picks up a manually stored token and does not rotate the old token', async () => {
  const store = shelf(await world.mint({ rotateEvery: DAY }))
  const { client, errors } = holder(world, store)
  await call(client)
  await client.settled()
  const given = await world.mint()
  store.put({ token: given })
  world.advance(DAY + 1)
  await call(client)
  await client.settled()
  expect((await call(client)).caller).toBe(idOf(given))
  expect(world.count('POST /self/rotate')).toBe(0)
  expect(errors).toEqual([])
})

it('a holder that was suspended past its rotation and overlap reads the storage before it sends a request', async () => {
  const store = shelf(await world.mint({ rotateEvery: DAY }))
  const sleeper = holder(world, store)
  await call(sleeper.client)
  await sleeper.client.settled()
  world.advance(DAY + 1)
  const other = holder(world, store)
  await call(other.client)
  await other.client.settled()
  world.advance(3 * 3600)
  const body = new Blob(['a stream that cannot be sent twice']).stream()
  const sent = await call(sleeper.client, '/stock', { method: 'POST', body, duplex: 'half' } as RequestInit)
  expect(sent).toEqual({ status: 200, caller: idOf(store.token) })
})

it('the client reports immediately that its token is not allowed to rotate itself', async () => {
  const { client, errors } = holder(world, shelf(await world.mint({ scopes: ['inventory:read'] })))
  expect((await call(client)).status).toBe(200)
  await client.settled()
  expect(errors.map(({ code, message }) => `${code}: ${message}`)).toEqual([
    'rotation_refused: this token cannot rotate itself: it lacks the scope tokens:rotate-self',
  ])
  world.advance(600)
  expect((await call(client)).status).toBe(200)
  await client.settled()
  expect(errors).toHaveLength(1)
})

it('the client reports that someone else rotated the token, and keeps using it until it expires', async () => {
  const first = await world.mint()
  const store = shelf(first)
  const { client, errors } = holder(world, store)
  await call(client)
  await client.settled()
  const { token } = await world.tokens.system.rotate(idOf(first), { overlap: '1h' })
  await expect(client.rotate()).rejects.toMatchObject({ code: 'token_replaced', message: expect.stringContaining(idOf(token ?? '')) })
  expect((await call(client)).status).toBe(200)
  expect(errors).toHaveLength(1)
  store.put({ token: token ?? '' })
  world.advance(2 * 3600)
  expect((await call(client)).caller).toBe(idOf(token ?? ''))
})
