import { once } from 'node:events'
import { inspect } from 'node:util'
import { type Latchkey, latchkey, type Principal } from 'latchkey'
import { accept, generateSigningKey, verifySigned } from 'latchkey/jwt'
import { memoryStore } from 'latchkey/stores/memory'
import { createTicket, type UpgradeOptions } from 'latchkey/ws'
import { afterEach, describe, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { kit } from '../support/http/tokens.js'
import { places } from '../support/ws/places.js'
import { type Answer, handshake, open, type Served, serveSockets } from '../support/ws/server.js'

const after: (() => Promise<unknown> | unknown)[] = []
afterEach(async () => {
  for (const close of after.splice(0).reverse()) await close()
})

const START = Date.parse('2030-01-01T00:00:00Z')
const scopes = { 'a:read': 'Read', 'a:write': 'Write' }

type World = {
  readonly nodes: readonly [Latchkey, Latchkey]
  readonly ports: readonly [number, number]
  readonly served: readonly Served[]
  readonly clock: { now: number }
  /** Creates a token and its principal. */
  readonly holder: (input?: {
    readonly allowedIps?: string[]
  }) => Promise<{ readonly id: string; readonly token: string; readonly principal: Principal }>
}

async function world(open: () => ReturnType<typeof memoryStore>): Promise<World> {
  const clock = { now: START }
  const node = (): Latchkey => {
    const tokens = latchkey({ prefix: 'acme_live', store: open(), scopes, clock: () => clock.now, logger: false })
    after.push(() => tokens.close())
    return tokens as Latchkey
  }
  const nodes = [node(), node()] as const
  const served = await Promise.all(nodes.map((tokens) => serveSockets(tokens)))
  for (const { close } of served) after.push(close)
  return {
    nodes,
    served,
    ports: [served[0]?.port ?? 0, served[1]?.port ?? 0],
    clock,
    async holder(input = {}) {
      const { token, record } = await nodes[0].system.create({ name: 'browser', scopes: ['a:read'], ...input })
      const verification = await nodes[0].verify(token ?? '', { ip: '192.0.2.7' })
      if (!verification.ok) throw new Error(verification.code)
      return { id: record.id, token: token ?? '', principal: verification.principal }
    },
  }
}

async function offer(port: number, protocols: string): Promise<Answer> {
  const answer = await handshake(port, [`Sec-WebSocket-Protocol: ${protocols}`])
  after.push(() => answer.socket.destroy())
  return answer
}

const codeOf = ({ status, body }: Answer): readonly [number, unknown] => [status, body === '' ? undefined : JSON.parse(body).code]
const INVALID = [401, 'token_invalid']

describe.each(places)('tickets on $name', ({ make, skip }) => {
  it.skipIf(skip)('a ticket opens exactly one connection, on any node, even when many attempts race', async () => {
    const place = await make()
    after.push(place.remove)
    const { nodes, ports, served, holder } = await world(place.open)
    const { id, principal } = await holder()
    for (let round = 0; round < 3; round += 1) {
      const { protocol } = await createTicket(nodes[0], principal)
      const answers = await Promise.all(Array.from({ length: 16 }, (_, turn) => offer(ports[turn % 2] ?? 0, `chat, ${protocol}`)))
      expect(answers.filter(({ status }) => status === 101)).toHaveLength(1)
      expect(answers.filter(({ status }) => status !== 101).map(codeOf)).toEqual(Array.from({ length: 15 }, () => INVALID))
    }
    const admitted = served.flatMap((each) => each.admitted)
    expect(admitted.map((each) => each.principal.tokenId)).toEqual([id, id, id])
    expect(admitted.every((each) => each.principal.kind === 'token' && each.principal.allows('a:read'))).toBe(true)
  })

  it.skipIf(skip)('a ticket has the current permissions and limits of its token when it is used', async () => {
    const place = await make()
    after.push(place.remove)
    const { nodes, ports, served, clock, holder } = await world(place.open)
    const revoked = await holder()
    const ofRevoked = await createTicket(nodes[0], revoked.principal)
    await nodes[1].system.revoke(revoked.id)
    expect(codeOf(await offer(ports[0], `${ofRevoked.protocol}, chat`))).toEqual([401, 'token_revoked'])
    const changed = await holder()
    const ofChanged = await createTicket(nodes[0], changed.principal)
    await nodes[1].system.update(changed.id, { scopes: ['a:write'] })
    expect((await offer(ports[0], `${ofChanged.protocol}, chat`)).status).toBe(101)
    expect(served[0]?.admitted[0]?.principal.scopes).toEqual(['a:write'])
    const elsewhere = await holder({ allowedIps: ['192.0.2.0/24'] })
    const ofElsewhere = await createTicket(nodes[0], elsewhere.principal)
    expect(codeOf(await offer(ports[1], `${ofElsewhere.protocol}, chat`))).toEqual([403, 'ip_denied'])
    const late = await createTicket(nodes[0], (await holder()).principal)
    expect(late.expiresAt.getTime() - clock.now).toBe(30_000)
    clock.now += 30_000
    expect(codeOf(await offer(ports[1], `${late.protocol}, chat`))).toEqual(INVALID)
  })

  it.skipIf(skip)('tickets are stored only as digests', async () => {
    const place = await make()
    after.push(place.remove)
    const { nodes, holder } = await world(place.open)
    const { principal, token, id } = await holder()
    const { ticket } = await createTicket(nodes[0], principal)
    const stored = (await place.text?.()) ?? ''
    if (place.text !== undefined) expect(stored).toContain(id)
    expect(stored).not.toContain(ticket)
    expect(JSON.stringify(await nodes[0].system.events())).not.toContain(ticket)
    expect(inspect([nodes[0], principal], { depth: 9 })).not.toContain(ticket)
    expect(stored).not.toContain(token)
  })
})

describe('a ticket', () => {
  it('a ticket is never selected as the protocol, passed to the listener or left in the headers', async () => {
    const { tokens, token } = await kit()
    const served = await serveSockets(tokens)
    after.push(served.close)
    const verification = await tokens.verify(token)
    if (!verification.ok) throw new Error(verification.code)
    const fresh = () => createTicket(tokens, verification.principal)
    for (const [order, selected] of [
      [(protocol: string) => `${protocol}, chat`, 'chat'],
      [(protocol: string) => `chat,${protocol} , other`, 'chat'],
      [(protocol: string) => protocol, undefined],
    ] as const) {
      const { protocol, ticket } = await fresh()
      const { status, head } = await offer(served.port, order(protocol))
      expect([status, /sec-websocket-protocol: (.*)/i.exec(head)?.[1]]).toEqual([101, selected])
      expect(head).not.toContain(ticket)
      const { request } = served.admitted.at(-1) ?? {}
      expect(inspect([request?.headers, request?.headersDistinct, request?.rawHeaders])).not.toContain(ticket)
      expect(request?.headers['sec-websocket-protocol']).toBe(
        order('-')
          .replaceAll(/-,? ?|,- /g, '')
          .trim() || undefined,
      )
    }
    const repeated = await fresh()
    const lines = [`Sec-WebSocket-Protocol: ${repeated.protocol}`, 'Sec-WebSocket-Protocol: chat']
    const answer = await handshake(served.port, lines)
    after.push(() => answer.socket.destroy())
    expect(answer.head).toMatch(/sec-websocket-protocol: chat$/im)
  })

  it('a ticket opens a WebSocket for a browser-like client', async () => {
    const { tokens, token } = await kit()
    const served = await serveSockets(tokens, { scopes: 'a:read' })
    after.push(served.close)
    const verification = await tokens.verify(token)
    if (!verification.ok) throw new Error(verification.code)
    const { protocol, ticket } = await createTicket(tokens, verification.principal)
    expect(protocol).toBe(`latchkey.ticket.${ticket}`)
    const webSocket = await open(served.port, [protocol, 'chat'])
    expect(webSocket.protocol).toBe('chat')
    const closed = once(webSocket, 'close')
    await tokens.system.revoke(verification.principal.tokenId ?? '')
    expect((await closed).map(String)).toEqual(['3000', 'token_revoked'])
    const again = new WebSocket(`ws://127.0.0.1:${served.port}/`, [protocol, 'chat'])
    const [response] = await once(again, 'unexpected-response').then(([, answer]) => [answer])
    expect(response.statusCode).toBe(401)
  })

  it('a ticket is not a bearer token and works only for an upgrade', async () => {
    const { tokens, token } = await kit()
    const served = await serveSockets(tokens)
    after.push(served.close)
    const verification = await tokens.verify(token)
    if (!verification.ok) throw new Error(verification.code)
    const { protocol, ticket } = await createTicket(tokens, verification.principal)
    for (const bearer of [ticket, protocol, `acme_live_${ticket}`]) {
      const answer = await handshake(served.port, [`Authorization: Bearer ${bearer}`])
      expect(codeOf(answer)).toEqual(INVALID)
      expect(await tokens.verify(bearer)).toMatchObject({ ok: false, code: 'token_malformed' })
      expect(await tokens.introspect(bearer)).toEqual({ active: false })
    }
    expect((await offer(served.port, `${protocol}, chat`)).status).toBe(101)
  })

  it('a ticket can be created only for a token principal from the same instance', async () => {
    const { tokens, token } = await kit()
    const other = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes })
    const verification = await tokens.verify(token)
    if (!verification.ok) throw new Error(verification.code)
    const { principal } = verification
    for (const forged of [
      undefined,
      null,
      {},
      { ...principal },
      { kind: 'token', tokenId: principal.tokenId, allows: () => true },
      Object.create(principal),
    ]) {
      await expect(createTicket(tokens, forged as Principal)).rejects.toMatchObject({ code: 'invalid_input', status: 400 })
    }
    await expect(createTicket(other as Latchkey, principal)).rejects.toMatchObject({ code: 'invalid_input', field: 'principal' })
    const session = await serveSockets(tokens, { session: () => ({ id: 'ann', scopes: '*' }) })
    after.push(session.close)
    const { socket } = await handshake(session.port, [`Origin: http://127.0.0.1:${session.port}`])
    after.push(() => socket.destroy())
    await expect(createTicket(tokens, session.admitted[0]?.principal)).rejects.toMatchObject({ field: 'principal' })
    await expect(createTicket({} as Latchkey, principal)).rejects.toMatchObject({ field: 'tokens' })
  })

  it('a verifier alone rejects a ticket, and a verifier combined with its instance accepts it', async () => {
    const { tokens, token } = await kit()
    const verification = await tokens.verify(token)
    if (!verification.ok) throw new Error(verification.code)
    const key = await generateSigningKey()
    const verifier = verifySigned({ issuer: 'https://issuer.example', audience: 'x', keys: { keys: [key.publicJwk as never] } })
    const alone = await serveSockets(verifier)
    const beside = await serveSockets(accept(tokens, verifier))
    after.push(alone.close, beside.close)
    const { protocol } = await createTicket(tokens, verification.principal)
    expect(codeOf(await offer(alone.port, `${protocol}, chat`))).toEqual(INVALID)
    expect((await offer(beside.port, `${protocol}, chat`)).status).toBe(101)
  })

  it('a ticket works again if a resource function of the host failed, and then opens one connection', async () => {
    const { tokens, token } = await kit()
    const verification = await tokens.verify(token)
    if (!verification.ok) throw new Error(verification.code)
    const key = await generateSigningKey()
    const verifier = verifySigned({ issuer: 'https://issuer.example', audience: 'x', keys: { keys: [key.publicJwk as never] } })
    const rooms = (): string | Promise<string> => {
      if (failures === 0) return 'r1'
      failures -= 1
      if (failures === 0) throw new Error('the database of rooms is down')
      return Promise.reject(new Error('the database of rooms is down'))
    }
    let failures = 0
    for (const door of [tokens, accept(tokens, verifier)]) {
      failures = 2
      const served = await serveSockets(door, { scopes: ['a:read', { room: rooms }] })
      after.push(served.close)
      const { protocol } = await createTicket(tokens, verification.principal)
      for (let turn = 0; turn < 2; turn += 1) {
        expect(codeOf(await offer(served.port, `${protocol}, chat`))).toEqual([503, 'store_unavailable'])
      }
      const answers = await Promise.all(Array.from({ length: 8 }, () => offer(served.port, `${protocol}, chat`)))
      expect(answers.map(({ status }) => status).sort()).toEqual([101, ...Array.from({ length: 7 }, () => 401)])
    }
  })

  it('a connection that is refused for lack of a scope or resource uses up its ticket', async () => {
    const { tokens, create } = await kit()
    const { token } = await create({ resources: { room: ['r2'] } })
    const verification = await tokens.verify(token)
    if (!verification.ok) throw new Error(verification.code)
    for (const options of [{ scopes: ['a:read', { room: () => 'r1' }] }, { scopes: ['a:write'] }] as UpgradeOptions[]) {
      const served = await serveSockets(tokens, options)
      after.push(served.close)
      const { protocol } = await createTicket(tokens, verification.principal)
      expect((await offer(served.port, `${protocol}, chat`)).status).toBe(403)
      expect(codeOf(await offer(served.port, `${protocol}, chat`))).toEqual(INVALID)
    }
  })

  it('a ticket counts as a use of its token, and the number of open tickets is limited', async () => {
    const { tokens, token, id } = await kit()
    const verification = await tokens.verify(token)
    if (!verification.ok) throw new Error(verification.code)
    const made = await Promise.allSettled(Array.from({ length: 1010 }, () => createTicket(tokens, verification.principal)))
    const refused = made.filter((each) => each.status === 'rejected')
    expect(refused).toHaveLength(10)
    expect(refused[0]?.reason).toMatchObject({ code: 'rate_limited', status: 429, retryAfterSeconds: 30 })
    const served = await serveSockets(tokens, { endpoint: 'live' })
    after.push(served.close)
    const [first] = made
    if (first?.status !== 'fulfilled') throw new Error('no ticket')
    await offer(served.port, `${first.value.protocol}, chat`)
    await tokens.flush()
    expect((await tokens.system.usage(id)).buckets.map(({ endpoint }) => endpoint)).toContain('live')
  })
})
