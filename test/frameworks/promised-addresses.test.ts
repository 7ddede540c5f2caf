import { EventEmitter } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { Hono } from 'hono'
import type { FaultReport } from 'latchkey'
import * as onHono from 'latchkey/hono'
import { exchange, generateSigningKey } from 'latchkey/jwt'
import { revocationByPossession, whoami } from 'latchkey/oauth'
import * as onWeb from 'latchkey/web'
import { authenticateUpgrade } from 'latchkey/ws'
import { expect, it } from 'vitest'
import { instance, mint } from '../latchkey/harness.js'

// TypeScript rejects a promise here, but JavaScript does not. No code awaits the promise, so the address would be unknown, and a rejection
// would end the process.
const ip = (async () => {
  throw new Error('no address today')
}) as unknown as () => string

async function world() {
  const faults: FaultReport[] = []
  const tokens = instance({ onError: (fault) => void faults.push(fault) })
  const { token } = await mint(tokens)
  const asked = (path = '/', init: RequestInit = {}) =>
    new Request(`https://api.example${path}`, { ...init, headers: { authorization: `Bearer ${token}` } })
  return { tokens, token, asked, faults }
}

type World = Awaited<ReturnType<typeof world>>

const actor = () => ({ id: 'ada', tenants: '*', manages: 'all' }) as const

const PLACES: { readonly [place: string]: (world: World) => Promise<number> } = {
  async 'authenticate on Hono'({ tokens, asked }) {
    const app = new Hono().use(onHono.authenticate(tokens, { ip })).get('/', (c) => c.text('ran'))
    return (await app.request(asked())).status
  },
  async 'management on Hono'({ tokens, asked }) {
    return (await new Hono().route('/admin', onHono.management(tokens, { actor, ip })).request(asked('/admin'))).status
  },
  async 'management of web requests'({ tokens, asked }) {
    return (await onWeb.management(tokens, { mountPath: '/admin', actor, ip })(asked('/admin'))).status
  },
  async whoami({ tokens, asked }) {
    return (await whoami(tokens, { ip })(asked())).status
  },
  async exchange({ tokens, token }) {
    const sell = exchange(tokens, { issuer: 'https://auth.example', audiences: ['stock'], keys: [await generateSigningKey()], ip })
    const body = new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: token,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    })
    return (await sell(new Request('https://auth.example/token', { method: 'POST', body }))).status
  },
  async revocationByPossession({ tokens, token }) {
    const body = new URLSearchParams({ token })
    return (await revocationByPossession(tokens, { ip })(new Request('https://auth.example/revoke', { method: 'POST', body }))).status
  },
  async authenticateUpgrade({ tokens, token }) {
    const headers = { authorization: `Bearer ${token}` }
    const request = { method: 'GET', headers, headersDistinct: {}, rawHeaders: Object.entries(headers).flat(), socket: new EventEmitter() }
    const upgrade = await authenticateUpgrade(tokens, request as unknown as IncomingMessage, { ip })
    return upgrade.ok ? 101 : upgrade.status
  },
}

it.each(Object.keys(PLACES))('an asynchronous ip callback causes a 503 and is reported: %s', async (place) => {
  const given = await world()
  expect(await PLACES[place]?.(given)).toBe(503)
  expect(given.faults.map(({ error }) => error.message)).toContain('ip returned a promise; it must return synchronously')
})
