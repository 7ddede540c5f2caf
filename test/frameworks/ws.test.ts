import { type EventEmitter, once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { FaultReport, Warning } from 'latchkey'
import { testLatchkey } from 'latchkey/testing'
import type { UpgradeOptions } from 'latchkey/ws'
import { authenticateUpgrade, CLOSE_CODES, createTicket } from 'latchkey/ws'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { WebSocket } from 'ws'
import { bearer, endpointsOf, kit } from '../support/http/tokens.js'
import { type Answer, handshake, open, type Served, serveSockets } from '../support/ws/server.js'

const opened: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const close of opened.splice(0)) await close()
})

async function serve(...args: Parameters<typeof serveSockets>): Promise<Served> {
  const served = await serveSockets(...args)
  opened.push(served.close)
  return served
}

async function ask(...args: Parameters<typeof handshake>): Promise<Answer> {
  const answer = await handshake(...args)
  opened.push(() => void answer.socket.destroy())
  return answer
}

const codeOf = ({ status, body }: Answer): readonly [number, unknown] => [status, body === '' ? undefined : JSON.parse(body).code]

describe('an upgrade request', () => {
  it('an upgrade request is accepted with a valid token in the Authorization header', async () => {
    const { tokens, token, id } = await kit()
    const { port, admitted } = await serve(tokens)
    const webSocket = await open(port, ['chat'], bearer(token).headers)
    webSocket.send('hello')
    const [data] = await once(webSocket, 'message')
    expect([String(data), webSocket.protocol, admitted[0]?.principal.tokenId]).toEqual(['echo hello', 'chat', id])
    expect(await endpointsOf(tokens, id, 1)).toEqual(['upgrade allowed'])
    webSocket.close()
  })

  it.each<[name: string, lines: (token: string) => string[], status: number, code: string, challenged: boolean]>([
    ['without a credential', () => [], 401, 'credential_missing', true],
    ['with a token only in the query', () => [], 401, 'credential_missing', true],
    ['with an unknown token', (token) => [`Authorization: Bearer ${token.slice(0, -10)}0123456789`], 401, 'token_invalid', true],
    [
      'with two headers',
      (token) => [`Authorization: Bearer ${token}`, `authorization: Bearer ${token}`],
      400,
      'credential_malformed',
      true,
    ],
    ['with a broken header', () => ['Authorization: Bearer a b'], 400, 'credential_malformed', true],
    [
      'with a header and a ticket',
      (token) => [`Authorization: Bearer ${token}`, `Sec-WebSocket-Protocol: latchkey.ticket.${'a'.repeat(43)}`],
      400,
      'credential_malformed',
      true,
    ],
    [
      'with two tickets',
      () => [`Sec-WebSocket-Protocol: latchkey.ticket.${'a'.repeat(43)}, latchkey.ticket.${'b'.repeat(43)}`],
      400,
      'credential_malformed',
      true,
    ],
    ['with a token as its ticket', (token) => [`Sec-WebSocket-Protocol: latchkey.ticket.${token}, chat`], 401, 'token_invalid', true],
    [
      'with a ticket that was never issued',
      () => [`Sec-WebSocket-Protocol: chat, LATCHKEY.ticket.${'a'.repeat(43)}`],
      401,
      'token_invalid',
      true,
    ],
    ['with an empty ticket', () => ['Sec-WebSocket-Protocol: latchkey.ticket.'], 401, 'token_invalid', true],
  ])('an upgrade request is refused with the same response as an HTTP request: %s', async (_, lines, status, code, challenged) => {
    const { tokens, token } = await kit()
    const { port } = await serve(tokens)
    const answer = await ask(port, lines(token), `/live?token=${token}&access_token=${token}`)
    expect(codeOf(answer)).toEqual([status, code])
    expect(/\r\nwww-authenticate: Bearer realm="api"/i.test(answer.head)).toBe(challenged)
    expect(answer.head).toMatch(/\r\nconnection: close/i)
    expect(answer.head + answer.body).not.toContain(token)
  })

  it('an upgrade request is refused for a revoked token, a wrong address, a missing scope, or an outage', async () => {
    const { tokens, token, create, outage } = await kit()
    const { port } = await serve(tokens, { scopes: ['a:read', 'a:write'] })
    const dead = await create()
    await tokens.system.revoke(dead.id)
    const elsewhere = await create({ allowedIps: ['192.0.2.0/24'], scopes: ['a:read', 'a:write'] })
    const full = await create({ scopes: ['a:read', 'a:write'] })
    expect(codeOf(await ask(port, [`Authorization: Bearer ${dead.token}`]))).toEqual([401, 'token_revoked'])
    expect(codeOf(await ask(port, [`Authorization: Bearer ${elsewhere.token}`]))).toEqual([403, 'ip_denied'])
    const narrow = await ask(port, [`Authorization: Bearer ${token}`])
    expect(codeOf(narrow)).toEqual([403, 'scope_insufficient'])
    expect(narrow.head).toContain('scope="a:read a:write"')
    expect((await ask(port, [`Authorization: Bearer ${full.token}`])).status).toBe(101)
    const down = await serve(outage)
    const answer = await ask(down.port, [`Authorization: Bearer ${token}`])
    expect(codeOf(answer)).toEqual([503, 'store_unavailable'])
    expect(answer.head).toMatch(/\r\nretry-after: 1/i)
    expect(answer.head).not.toMatch(/www-authenticate/i)
  })

  it('an upgrade request can be limited by resources, with the address from the ip option', async () => {
    const { tokens, create } = await kit()
    const options: UpgradeOptions = {
      scopes: ['a:read', { room: (request) => request.url?.split('/').at(-1) }],
      ip: (request) => String(request.headers['x-real-ip']),
    }
    const { port } = await serve(tokens, options)
    const { token } = await create({ resources: { room: ['r1'] }, allowedIps: ['192.0.2.7'] })
    const lines = [`Authorization: Bearer ${token}`, 'X-Real-Ip: 192.0.2.7']
    expect((await ask(port, lines, '/rooms/r1')).status).toBe(101)
    expect(codeOf(await ask(port, lines, '/rooms/r2'))).toEqual([403, 'resource_denied'])
    expect(codeOf(await ask(port, [lines[0] ?? '', 'X-Real-Ip: 192.0.2.8'], '/rooms/r1'))).toEqual([403, 'ip_denied'])
  })

  it('a refused client that already sent data gets the response, and the server keeps running if one disconnects', async () => {
    const { tokens, token } = await kit()
    const { port } = await serve(tokens)
    const eager = await ask(port, ['Authorization: Bearer nonsense'], '/live', 'x'.repeat(10_000))
    expect(codeOf(eager)).toEqual([401, 'token_invalid'])
    let decided = (): void => undefined
    const waiting = new Promise<void>((resolve) => {
      decided = resolve
    })
    const slow = await serve(tokens, { foreign: () => waiting.then(() => undefined) })
    slow.server.once('connection', (socket: Socket) => setImmediate(() => socket.resetAndDestroy()))
    await ask(slow.port, ['Authorization: Bearer other'])
    decided()
    expect((await ask(port, [`Authorization: Bearer ${token}`])).status).toBe(101)
  })

  it('an upgrade request with a session is accepted only from the same origin', async () => {
    const { tokens } = await kit()
    const { port, admitted } = await serve(tokens, {
      session: (request) => (request.headers.cookie === 'sid=1' ? { id: 'ann', scopes: '*' } : undefined),
      scopes: 'a:read',
    })
    const from = (...lines: string[]) => ask(port, ['Cookie: sid=1', ...lines])
    expect((await from(`Origin: http://127.0.0.1:${port}`)).status).toBe(101)
    // Behind a proxy that ends TLS.
    expect((await from(`Origin: https://127.0.0.1:${port}`)).status).toBe(101)
    expect(admitted[0]?.principal).toMatchObject({ kind: 'session', ownerId: 'ann' })
    for (const lines of [
      ['Origin: https://evil.example'],
      ['Origin: null'],
      [`Origin: app://127.0.0.1:${port}`],
      [`Origin: chrome-extension://127.0.0.1:${port}`],
      [],
      [`Origin: http://127.0.0.1:${port}`, 'Sec-Fetch-Site: cross-site'],
      [`Origin: http://127.0.0.1:${port}`, 'Origin: https://evil.example'],
    ]) {
      expect(codeOf(await from(...lines))).toEqual([403, 'cross_site'])
    }
    expect(codeOf(await ask(port, ['Cookie: sid=2', `Origin: http://127.0.0.1:${port}`]))).toEqual([401, 'credential_missing'])
    const basic = await serve(tokens, { credential: 'basic' })
    const { token } = await tokens.system.create({ name: 'x', scopes: ['a:read'] })
    const lines = [`Authorization: Basic ${Buffer.from(`${token}:`).toString('base64')}`]
    expect((await ask(basic.port, lines)).status).toBe(101)
    expect(codeOf(await ask(basic.port, [...lines, 'Origin: https://evil.example']))).toEqual([403, 'cross_site'])
  })

  it('authenticateUpgrade() rejects misspelled options and options that would accept a request without a token', async () => {
    const { tokens } = await kit()
    const request = Object.assign(Object.create(null), { socket: { on: () => undefined, listeners: () => [] } })
    for (const [options, field] of [
      [{ optional: true }, 'optional'],
      [{ scope: 'a:read' }, 'scope'],
      [{ scopes: [] }, 'scopes'],
      [{ scopes: undefined }, 'scopes'],
      [{ ip: '127.0.0.1' }, 'ip'],
    ] as const) {
      const told: string[] = []
      const given = { ...options, onWarning: ({ code, message }: Warning) => told.push(`${code} ${message}`) }
      const upgrade = await authenticateUpgrade(tokens, request, given as never)
      expect(upgrade).toMatchObject({ ok: false, status: 500, code: 'misconfigured' })
      expect(told).toEqual([expect.stringMatching(`^LATCHKEY_W013 .*: ${field}`)])
    }
    await expect(createTicket(tokens, undefined)).rejects.toMatchObject({ code: 'invalid_input', field: 'principal' })
  })

  it.each([
    ['authenticateUpgrade', authenticateUpgrade],
    ['createTicket', createTicket],
  ])(
    '%s() passed directly as the listener refuses the connection and stops neither the process nor the server',
    async (_name, listener) => {
      const server = createServer().on('upgrade', listener as never)
      opened.push(() => void server.close())
      await once(server.listen(0, '127.0.0.1'), 'listening')
      const { port } = server.address() as AddressInfo
      for (let tries = 0; tries < 2; tries += 1) expect(codeOf(await ask(port))).toEqual([500, 'misconfigured'])
    },
  )

  it('authenticateUpgrade() refuses the connection if the instance or options are invalid, and throws only for an invalid request', async () => {
    const { tokens } = await kit()
    const request = Object.assign(Object.create(null), { socket: { on: () => undefined, listeners: () => [] } })
    for (const [instance, options] of [
      [{}, {}],
      [undefined, {}],
      [tokens, null],
      [tokens, 'a:read'],
    ] as const) {
      expect(await authenticateUpgrade(instance as never, request, options as never)).toMatchObject({ ok: false, status: 500 })
    }
    for (const none of [undefined, null, 'GET /', {}, new Request('http://a.test')]) {
      await expect(authenticateUpgrade(tokens, none as never)).rejects.toMatchObject({ code: 'invalid_input', field: 'request' })
    }
  })

  it('an ip callback that throws during an upgrade causes a 503, and the error is reported', async () => {
    const heard: string[] = []
    const onError = ({ where, error }: FaultReport): unknown => heard.push(`${where}: ${error.cause}`)
    const { tokens, tokenFor } = testLatchkey({ scopes: { 'a:read': 'Read' }, onError, logger: false })
    const token = await tokenFor()
    const { port } = await serve(tokens, {
      ip: () => {
        throw new Error('no such header')
      },
    })
    expect(codeOf(await handshake(port, [`Authorization: Bearer ${token}`]))).toEqual([503, 'store_unavailable'])
    expect(heard).toEqual(['ip: Error: no such header'])
  })
})

describe('a WebSocket ends with its token', () => {
  it.each([
    ['revoked', 'token_revoked'],
    ['deactivated', 'token_inactive'],
  ])('a WebSocket is closed with a close frame that states the reason when its token is %s', async (how, reason) => {
    const { tokens, token, id } = await kit()
    const { port, admitted } = await serve(tokens)
    const webSocket = await open(port, [], bearer(token).headers)
    const closed = once(webSocket, 'close')
    const heard = (): number | undefined => admitted[0]?.webSocket.listenerCount('message')
    expect(heard()).toBe(1)
    if (how === 'revoked') await tokens.system.revoke(id)
    else await tokens.system.deactivate(id)
    // A client that does not answer the close frame can send no more commands either.
    expect(heard()).toBe(0)
    const [code, text] = await closed
    expect([code, String(text)]).toEqual([CLOSE_CODES.unauthorized, reason])
  })

  it('a WebSocket gets no message listener after its token has ended, however late the host adds one', async () => {
    const { tokens, token, id } = await kit()
    const { port, admitted } = await serve(tokens)
    await open(port, [], bearer(token).headers)
    await tokens.system.revoke(id)
    const webSocket = admitted[0]?.webSocket as WebSocket
    const heard = vi.fn()
    for (const add of ['on', 'once', 'addListener', 'prependListener'] as const) {
      ;(webSocket as EventEmitter)[add]('message', heard)
      await Promise.resolve()
      webSocket.emit('message', Buffer.from('a command'), false)
    }
    webSocket.onmessage = heard
    await Promise.resolve()
    webSocket.emit('message', Buffer.from('a command'), false)
    expect(heard).not.toHaveBeenCalled()
  })

  it('a WebSocket is closed with a close frame when its token expires and when the instance closes', async () => {
    const { tokens, create } = await kit()
    const { port } = await serve(tokens)
    const brief = await create({ expiresIn: 1 })
    const webSocket = await open(port, [], bearer(brief.token).headers)
    expect((await once(webSocket, 'close')).map(String)).toEqual(['3000', 'token_expired'])
    const other = await create()
    const last = await open(port, [], bearer(other.token).headers)
    const closed = once(last, 'close')
    await tokens.close()
    expect((await closed).map(String)).toEqual(['1001', 'closed'])
  })

  it('a WebSocket connection ends after a revocation even if neither the host nor the client closes it', async () => {
    const { tokens, token, id } = await kit()
    const { port } = await serve(tokens, { forgetful: true })
    const { socket } = await ask(port, [`Authorization: Bearer ${token}`])
    const closed = once(socket, 'close')
    await tokens.system.revoke(id)
    await closed
  })
})
