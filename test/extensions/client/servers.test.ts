import type { RequestListener, ServerResponse } from 'node:http'
import { type ClientError, createClient } from 'latchkey/client'
import { afterEach, expect, it } from 'vitest'
import { type Place, place, TOKEN } from './places.js'
import { call, holder, idOf, makeWorld, shelf } from './world.js'

let server: Place | undefined

afterEach(async () => {
  await server?.close()
  server = undefined
})

const ID = 'a'.repeat(16)
const NEXT = 'c'.repeat(16)
const record = { id: ID, createdAt: '2030-01-01T00:00:00.000Z' }
const self = { record, effectiveScopes: ['tokens:rotate-self'] }
const successor = { token: `acme_live_${NEXT}_${'d'.repeat(49)}`, record: { ...record, id: NEXT, replacesId: ID } }

const json = (response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(typeof body === 'string' ? body : JSON.stringify(body))
}

/** A server that answers rotations with `answer` and everything else correctly. */
async function rotating(answer: RequestListener, deadline = 0.3) {
  server = await place((request, response) => {
    if (request.url === '/tokens/self') json(response, 200, self)
    else if (request.url === '/tokens/self/rotate') answer(request, response)
    else response.end('stock')
  })
  const store = shelf(TOKEN)
  const errors: ClientError[] = []
  const client = createClient({
    manage: `${server.origin}/tokens`,
    load: store.load,
    save: store.save,
    deadline,
    onError: (error) => errors.push(error),
  })
  return { client, store, errors, url: `${server.origin}/stock` }
}

it('the client accepts a valid rotation response', async () => {
  const { client, store, errors } = await rotating((_, response) => json(response, 201, successor))
  await client.rotate()
  expect(store.kept).toEqual({ token: successor.token })
  expect(errors).toEqual([])
})

const hostile: readonly (readonly [string, RequestListener, string])[] = [
  ['nothing at all', () => undefined, 'server_unavailable'],
  ['headers but never a body', (_, response) => void response.writeHead(201).flushHeaders(), 'server_unavailable'],
  ['one byte at a time', (_, response) => drip(response), 'server_unavailable'],
  ['a closed connection', (request) => void request.socket.destroy(), 'server_unavailable'],
  ['half a body', (_, response) => half(response), 'server_unavailable'],
  ['500', (_, response) => json(response, 500, 'oops'), 'server_unavailable'],
  ['an endless body', (_, response) => flood(response), 'answer_invalid'],
  ['a body of ten megabytes', (_, response) => json(response, 201, 'x'.repeat(1e7)), 'answer_invalid'],
  ['an empty body', (_, response) => json(response, 201, ''), 'answer_invalid'],
  ['a page', (_, response) => json(response, 200, '<html>sign in</html>'), 'answer_invalid'],
  ['a list', (_, response) => json(response, 201, [successor]), 'answer_invalid'],
  ['null', (_, response) => json(response, 201, 'null'), 'answer_invalid'],
  ['no record', (_, response) => json(response, 201, { token: successor.token }), 'answer_invalid'],
  ['a record of another token', (_, response) => json(response, 201, { ...successor, record }), 'answer_invalid'],
  [
    'a record of a third token',
    (_, response) => json(response, 201, { ...successor, record: { ...record, id: 'e'.repeat(16) } }),
    'answer_invalid',
  ],
  ['no token', (_, response) => json(response, 201, { record: successor.record }), 'answer_invalid'],
  ['a token that is a number', (_, response) => json(response, 201, { ...successor, token: 5 }), 'answer_invalid'],
  ['the old token', (_, response) => json(response, 201, { token: TOKEN, record }), 'answer_invalid'],
  [
    'a token of another prefix',
    (_, response) => json(response, 201, { ...successor, token: successor.token.replace('live', 'test') }),
    'answer_invalid',
  ],
  [
    'a token with a line break',
    (_, response) => json(response, 201, { ...successor, token: `${successor.token}\r\nx: y` }),
    'answer_invalid',
  ],
  ['replayed: true every time', (_, response) => json(response, 200, { record: successor.record, replayed: true }), 'answer_invalid'],
  ['a redirect', (_, response) => json(response, 303, '', { location: '/stock' }), 'answer_invalid'],
  ["another service's 404", (_, response) => json(response, 404, 'Cannot POST'), 'answer_invalid'],
  ['204', (_, response) => void response.writeHead(204).end(), 'answer_invalid'],
  ['a refusal', (_, response) => json(response, 403, { code: 'scope_insufficient' }), 'rotation_refused'],
  ['an unknown code', (_, response) => json(response, 403, { code: `x${TOKEN}` }), 'answer_invalid'],
  ['a conflict', (_, response) => json(response, 409, { code: 'conflict' }), 'token_replaced'],
]

it.each(hostile)(
  'the client keeps its token and keeps sending requests when the server answers a rotation with %s',
  async (_, answer, code) => {
    // Only a server that does not answer in time makes the client wait for the whole deadline.
    const { client, store, errors, url } = await rotating(answer, code === 'server_unavailable' ? 0.3 : 10)
    await expect(client.rotate()).rejects.toMatchObject({ name: 'ClientError', code })
    expect(store.token).toBe(TOKEN)
    expect(store.kept?.rotation).toContain(ID)
    const response = await client.fetch(url)
    expect(await response.text()).toBe('stock')
    expect(server?.got.at(-1)?.headers.authorization).toBe(`Bearer ${TOKEN}`)
    expect(errors).toHaveLength(1)
    expect(JSON.stringify([errors, errors.map(String)])).not.toContain('b'.repeat(49))
  },
)

function drip(response: ServerResponse): void {
  response.writeHead(201)
  const timer = setInterval(() => response.write(' '), 50)
  response.on('close', () => clearInterval(timer))
}

function half(response: ServerResponse): void {
  response.writeHead(201, { 'content-length': '500' }).write('{"token":')
  setTimeout(() => response.destroy(), 20)
}

function flood(response: ServerResponse): void {
  response.writeHead(201)
  const more = (): void => {
    while (!response.destroyed && response.write('x'.repeat(65_536)));
  }
  response.on('drain', more)
  more()
}

it.each([
  ['nothing at all', () => undefined],
  ['another token', (_: unknown, response: ServerResponse) => json(response, 200, { ...self, record: { id: NEXT } })],
  ['junk', (_: unknown, response: ServerResponse) => json(response, 200, '{')],
])('the client keeps sending requests when the server answers the lookup of the record with %s', async (_, answer) => {
  server = await place((request, response) => (request.url === '/tokens/self' ? answer(request, response) : response.end('stock')))
  const errors: ClientError[] = []
  const client = createClient({
    manage: `${server.origin}/tokens`,
    token: TOKEN,
    save: () => undefined,
    deadline: 0.2,
    onError: (error) => errors.push(error),
  })
  const { origin } = server
  for (let n = 0; n < 5; n += 1) expect(await (await client.fetch(`${origin}/stock`)).text()).toBe('stock')
  await client.settled()
  expect(errors).toHaveLength(1)
  expect(server.got.filter(({ url }) => url === '/tokens/self')).toHaveLength(1)
})

const SECRET = TOKEN.slice(-49)

it.each([
  ['the secret of the token', SECRET],
  ['the token with an invisible character in it', `${TOKEN.slice(0, 40)}\u200b${TOKEN.slice(40)}`],
  ['an escape sequence and a line break', '\u001b]0;owned\u0007\u001b[2J\nlatchkey: all is well'],
])('an error does not repeat %s that the server sends as the ID of a successor', async (_, replacedById) => {
  server = await place((_request, response) => json(response, 200, { ...self, record: { ...record, replacedById } }))
  const errors: ClientError[] = []
  const client = createClient({
    manage: `${server.origin}/tokens`,
    token: TOKEN,
    save: () => undefined,
    onError: (error) => errors.push(error),
  })
  await expect(client.rotate()).rejects.toMatchObject({ code: 'answer_invalid' })
  expect(errors.map(({ message }) => message)).toEqual(['the response from the management API is unusable: it has no valid record'])
})

it('the client aborts a management request that takes too long', async () => {
  const world = await makeWorld()
  const { client } = holder(world, shelf(await world.mint()), { deadline: 0.05 })
  const signals: AbortSignal[] = []
  world.intercept((request) => {
    signals.push(request.signal)
    return new Promise(() => undefined)
  })
  await expect(client.rotate()).rejects.toMatchObject({ code: 'server_unavailable' })
  expect(signals.map(({ aborted }) => aborted)).toEqual([true])
  await world.close()
})

it('a request waits at most once for an unreachable server, however overdue the rotation is', async () => {
  const world = await makeWorld()
  const { client, errors } = holder(world, shelf(await world.mint({ rotateEvery: 86_400 })), { deadline: '1h' })
  await call(client)
  await client.settled()
  world.advance(2 * 86_400)
  let away: () => Promise<Response> = async () => new Response(null, { status: 503 })
  world.intercept((request, next) => (request.url.includes('/self') ? away() : next()))
  expect((await call(client)).status).toBe(200)
  expect(errors).toHaveLength(1)
  world.advance(60)
  let release = (_: Response): void => undefined
  away = () =>
    new Promise((resolve) => {
      release = resolve
    })
  // However long the second attempt takes, it does not delay the request.
  const sent = world.count('GET /stock')
  const answer = call(client)
  await expect.poll(() => world.count('GET /stock')).toBe(sent + 1)
  expect((await answer).status).toBe(200)
  expect(errors).toHaveLength(1)
  release(new Response(null, { status: 503 }))
  await client.settled()
  await world.close()
})

it('a successful rotation resets the retry delay', async () => {
  const world = await makeWorld()
  const { client, errors } = holder(world, shelf(await world.mint()))
  const away = (): void =>
    world.intercept((request, next) => (request.url.includes('/self') ? new Response(null, { status: 503 }) : next()))
  away()
  for (let n = 0; n < 8; n += 1) await client.rotate().catch(() => undefined)
  world.restore()
  await client.rotate()
  away()
  await client.rotate().catch(() => undefined)
  expect(errors).toHaveLength(9)
  world.restore()
  const looked = world.count('GET /self')
  world.advance(2)
  await call(client)
  await client.settled()
  expect(world.count('GET /self')).toBe(looked + 1)
  await world.close()
})

it('the client gives up on a custom fetch() that ignores its abort signal', async () => {
  const client = createClient({
    manage: 'https://api.test',
    token: TOKEN,
    save: () => undefined,
    deadline: 0.05,
    fetch: () => new Promise(() => undefined),
    onError: () => undefined,
  })
  await expect(client.rotate()).rejects.toMatchObject({
    code: 'server_unavailable',
    message: 'GET https://api.test/self failed: no answer within 0.05 seconds',
  })
})

const fieldsOf = (retryAfter: string): Record<string, string> => {
  if (/^\d+$/.test(retryAfter)) return { 'retry-after': retryAfter }
  const date = Date.UTC(2031, 0, 31, 12)
  return { date: new Date(date).toUTCString(), 'retry-after': new Date(date + 90_000).toUTCString() }
}

it.each([
  [429, '120', 120],
  [503, '5', 5],
  [503, '999999999', 3600],
  [503, 'in 90 seconds, as a date', 90],
])('the client retries after a %i only once Retry-After: %s has elapsed', async (status, retryAfter, seconds) => {
  const world = await makeWorld()
  const { client, errors } = holder(world, shelf(await world.mint()))
  world.intercept((request, next) =>
    request.url.includes('/self') ? Response.json({ code: 'rate_limited' }, { status, headers: fieldsOf(retryAfter) }) : next(),
  )
  await call(client)
  await client.settled()
  expect(errors).toMatchObject([{ code: 'server_unavailable', status, retryAfterSeconds: seconds }])
  world.restore()
  world.advance(seconds - 1)
  await call(client)
  await client.settled()
  expect(world.count('GET /self')).toBe(1)
  world.advance(2)
  await call(client)
  await client.settled()
  expect(world.count('GET /self')).toBe(2)
  await world.close()
})

it('the client backs off from an unreachable server and rotates once it is back', async () => {
  const world = await makeWorld()
  const first = await world.mint({ rotateEvery: 86_400 })
  const store = shelf(first)
  const { client, errors } = holder(world, store)
  await call(client)
  await client.settled()
  world.advance(86_401)
  world.intercept((request, next) => {
    if (request.url.includes('/self')) throw new TypeError('fetch failed')
    return next()
  })
  for (let second = 0; second < 3600; second += 1) {
    expect((await call(client)).status).toBe(200)
    await client.settled()
    world.advance(1)
  }
  expect(errors.length).toBeGreaterThan(10)
  expect(errors.length).toBeLessThan(30)
  world.restore()
  world.advance(301)
  await call(client)
  await client.settled()
  expect((await call(client)).caller).toBe(idOf(store.token))
  expect(store.token).not.toBe(first)
  await world.close()
})

it('the client names the URL that it called when the answer comes from something else than the management API', async () => {
  const client = createClient({
    manage: 'https://api.test/wrong/path/',
    token: TOKEN,
    save: () => undefined,
    fetch: async () => new Response('<h1>Not Found</h1>', { status: 404 }),
    onError: () => undefined,
  })
  await expect(client.rotate()).rejects.toMatchObject({
    code: 'answer_invalid',
    message: 'GET https://api.test/wrong/path/self answered 404, which the management API never does: check the `manage` option',
  })
})
