import { ensure, ensureEqual } from '../../src/testing/assert.js'
import { pause } from '../../src/testing/pause.js'
import { bodyOf, detailsOf } from './outcomes.js'
import { bearer, get, request, type VectorGroup } from './vector.js'
import { exchange, open, parseResponses, receive } from './wire.js'
import type { Known, World } from './world.js'

/** A behavior that takes more than one request. */
export type ConnectionCase = {
  readonly title: string
  readonly site?: VectorGroup['site']
  run(world: World): Promise<void>
}

const keepAlive = (text: string): string => text.replace('Connection: close', 'Connection: keep-alive')
const UNKNOWN_ID = 'nobody'

/** Behaviors of one connection, or of many concurrent ones. */
export const connectionCases: readonly ConnectionCase[] = [
  { title: 'each request on a keep-alive connection is decided separately', run: keptAlive },
  { title: 'pipelined requests each get their own response', run: pipelined },
  { title: 'the body of a refused request is not parsed as the next request', run: refusedBody },
  { title: '1,000 parallel requests with 50 tokens each see their own principal', run: parallel },
  { title: 'malformed, unknown and mismatched tokens get identical responses', run: sameBytes },
  { title: 'a client that disconnects during the decision, the head, the body or the response does no harm', run: abort },
  { title: 'each admitted request counts one use under its route pattern', run: counted },
  { title: 'a revoked token is refused on the connection it just used', run: revokedMidway },
  { title: 'setup mistakes are reported once', run: warned },
]

async function keptAlive(world: World): Promise<void> {
  const socket = await open(world.port)
  const received = receive(socket)
  const steps = [bearer('reader'), 'X-Nothing: 1', bearer('revoked'), bearer('writer'), 'Authorization: Bearer', bearer('reader')]
  for (const [index, header] of steps.entries()) {
    const text = get('/api/whoami', header)
    socket.write(world.fill(index === steps.length - 1 ? text : keepAlive(text)), 'latin1')
    await pause(20)
  }
  const responses = parseResponses(await received, [])
  ensureEqual(
    responses.map(({ status }) => status),
    [200, 401, 401, 200, 400, 200],
    'the statuses of the responses on one connection',
  )
  ensureEqual(
    responses.map(({ body }) => idIn(body)),
    [world.known('reader').id, UNKNOWN_ID, UNKNOWN_ID, world.known('writer').id, UNKNOWN_ID, world.known('reader').id],
    'the principals of the requests on one connection',
  )
}

async function pipelined(world: World): Promise<void> {
  const pairs: readonly (readonly [string, string, readonly number[]])[] = [
    [bearer('reader'), 'X-Nothing: 1', [200, 401]],
    ['X-Nothing: 1', bearer('reader'), [401, 200]],
    [bearer('reader'), bearer('writer'), [200, 200]],
    ['Authorization: Bearer fault-rejects-undefined', bearer('reader'), [503, 200]],
    ['Authorization: Bearer slow-reader', 'X-Nothing: 1', [200, 401]],
  ]
  for (const [first, second, statuses] of pairs) {
    const text = world.fill(keepAlive(get('/api/whoami', first)) + get('/api/whoami', second))
    const responses = await exchange(world.port, text, ['GET', 'GET'])
    ensureEqual(
      responses.map(({ status }) => status),
      statuses,
      `the statuses of the pair ${first} / ${second}`,
    )
  }
}

async function refusedBody(world: World): Promise<void> {
  const smuggled = world.fill(get('/api/whoami', bearer('reader')))
  const text = keepAlive(request('POST /api/stock', `Content-Length: ${smuggled.length}`)) + smuggled + get('/api/whoami')
  const responses = await exchange(world.port, text, ['POST', 'GET'])
  ensureEqual(world.journal.entries, [], 'the handlers that ran')
  // A server may also close after the refusal, but it must not answer the body.
  ensure(responses.length <= 2 && responses.every(({ status }) => status === 401), 'a body was answered as if it were a request')
}

async function parallel(world: World): Promise<void> {
  const holders: Known[] = []
  for (let index = 0; index < 50; index += 1) holders.push(await world.create({ name: `holder ${index}`, scopes: ['inventory:read'] }))
  const connections = Array.from({ length: 250 }, async (_, connection) => {
    const mine = Array.from({ length: 4 }, (_, turn) => holders[(connection * 7 + turn * 13) % holders.length] ?? world.known('reader'))
    const text = mine.map(({ token }, turn) => {
      const line = get(turn % 2 === 0 ? '/api/whoami' : '/api/nested/stock', `Authorization: Bearer ${token}`)
      return turn === 3 ? line : keepAlive(line)
    })
    const responses = await exchange(world.port, text.join(''), ['GET', 'GET', 'GET', 'GET'])
    ensureEqual(
      responses.map(({ body }) => idIn(body)),
      mine.map(({ id }) => id),
      'the principals that the handlers saw',
    )
  })
  await Promise.all(connections)
  ensureEqual(world.journal.entries.length, 1000, 'the number of handlers that ran')
}

async function sameBytes(world: World): Promise<void> {
  const whole = new Set<string>()
  for (const name of ['unknown', 'wrong-secret', 'bad-checksum', 'cut-short', 'other-prefix', 'upper-case']) {
    const socket = await open(world.port)
    const received = receive(socket)
    socket.write(world.fill(get('/api/whoami', bearer(name))), 'latin1')
    whole.add((await received).replace(/^date: .*$/im, ''))
  }
  ensureEqual(whole.size, 1, `the number of different answers:\n${[...whole].join('\n---\n')}`)
}

async function abort(world: World): Promise<void> {
  let release = (): void => undefined
  world.journal.held = new Promise((resolve) => {
    release = resolve
  })
  const texts = [
    get('/api/whoami', 'Authorization: Bearer slow-reader'),
    get('/api/whoami', bearer('reader')).slice(0, 40),
    request('POST /api/stock', 'Content-Length: 1000'),
    request('POST /api/stock', 'Content-Length: 1000', bearer('writer')),
    get('/api/slow', bearer('reader')),
  ]
  for (const text of texts) {
    const socket = await open(world.port)
    socket.write(world.fill(text), 'latin1')
    await pause(15)
    socket.destroy()
  }
  await pause(80)
  release()
  await pause(20)
  const [response] = await exchange(world.port, world.fill(get('/api/whoami', bearer('reader'))))
  ensureEqual(response?.status, 200, 'the answer to the next client')
  const [refused] = await exchange(world.port, get('/api/whoami'))
  ensureEqual(refused?.body, bodyOf('credential_missing', detailsOf('credential_missing')[0] ?? ''), 'the refusal of the next client')
}

async function counted(world: World): Promise<void> {
  const { token, id } = await world.create({ name: 'counted', scopes: ['inventory:read'], resources: { warehouse: ['w1'] } })
  const lines = [
    '/api/stock',
    '/api/stock',
    '/api/warehouses/w1',
    '/api/warehouses/w1?x=1',
    '/api/warehouses/w2',
    '/api/both',
    '/api/nested/scoped/1',
    '/api/nested/scoped/2',
  ]
  for (const path of lines) await exchange(world.port, get(path, `Authorization: Bearer ${token}`))
  const expected = [
    ['GET /api/both', 'scope_insufficient', 1],
    ['GET /api/nested/scoped/:id', 'allowed', 2],
    ['GET /api/stock', 'allowed', 2],
    ['GET /api/warehouses/:id', 'allowed', 2],
    ['GET /api/warehouses/:id', 'resource_denied', 1],
  ]
  let report = await world.tokens.system.usage(id)
  // The use is counted when the server sees the response close, possibly after the client does.
  for (let turn = 0; turn < 50 && report.total + report.refused < lines.length; turn += 1) {
    await pause(10)
    report = await world.tokens.system.usage(id)
  }
  const found = report.buckets.map(({ endpoint, outcome, count }) => [endpoint, outcome, count])
  ensureEqual(found.map((row) => JSON.stringify(row)).sort(), expected.map((row) => JSON.stringify(row)).sort(), 'the counted uses')
}

async function revokedMidway(world: World): Promise<void> {
  const { token, id } = await world.create({ name: 'midway', scopes: ['inventory:read'] })
  const socket = await open(world.port)
  const received = receive(socket)
  const text = get('/api/whoami', `Authorization: Bearer ${token}`)
  socket.write(keepAlive(text), 'latin1')
  await pause(30)
  await world.tokens.system.revoke(id)
  socket.write(text, 'latin1')
  const responses = parseResponses(await received, [])
  ensureEqual(
    responses.map(({ status }) => status),
    [200, 401],
    'the statuses before and after the revocation',
  )
}

async function warned(world: World): Promise<void> {
  for (let turn = 0; turn < 2; turn += 1) {
    await exchange(world.port, world.fill(get('/api/ghost', bearer('reader'))))
    await exchange(world.port, world.fill(get('/api/ghost-any', bearer('reader'))))
  }
  ensureEqual(world.warnings, ['LATCHKEY_W004'], 'the warnings')
}

function idIn(body: string): string {
  return /"principal":\{"tokenId":"([^"]+)"/.exec(body)?.[1] ?? UNKNOWN_ID
}
