import { ownTokens } from 'latchkey/import'
import { introspection, revocation, revocationByPossession } from 'latchkey/oauth'
import { expect, it, onTestFinished, vi } from 'vitest'
import { verdict } from '../latchkey/harness.js'
import { accepting } from './world.js'

const rows = Array.from({ length: 10 }, (_, key) => ({ key, hash: `hash of ${key}` }))
const map = () => ({ name: 'Old', scopes: ['stock:read' as const] })

it('no stranger or client can use up the guesses of another client, an actor, or an address', async () => {
  // Budgets are refilled by this clock.
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const format = ownTokens({
    name: 'old',
    key: (credential) => /^k-([0-9]+)-/.exec(credential)?.[1],
    verify: (credential) => credential.endsWith('secret'),
  })
  const tokens = accepting([format], { logger: false })
  await tokens.system.import(rows, { format, map })
  const form = (token: string, caller: string) =>
    new Request('https://auth.example/', { method: 'POST', headers: { caller }, body: new URLSearchParams({ token }) })
  const callerOf = (request: Request): string => request.headers.get('caller') ?? ''
  const client = (request: Request) => ({ id: callerOf(request), tenants: '*' as const })
  const introspect = introspection(tokens, { client })
  const report = revocationByPossession(tokens, { ip: callerOf, perMinute: 100 })
  const reporter = (id: string) => tokens.as({ id, tenants: '*', manages: 'all' })
  for (let at = 0; at < 30; at += 1) {
    await report(form(`k-1-stranger-${at}`, `203.0.113.${at}`))
    await introspect(form(`k-1-client-${at}`, 'loud'))
    await report(form(`k-1-address-${at}`, '198.51.100.7'))
    await reporter('loud')
      .reportLeak({ token: `k-1-actor-${at}`, action: 'notify' })
      .catch(() => undefined)
  }
  expect((await introspect(form('k-2-secret', 'loud'))).status).toBe(503)
  expect((await report(form('k-2-secret', '198.51.100.7'))).status).toBe(503)
  expect(await (await introspect(form('k-2-secret', 'quiet'))).json()).toMatchObject({ active: true })
  expect(await verdict(tokens.verify('k-3-secret'))).toBe('ok')
  expect(await reporter('quiet').reportLeak({ token: 'k-4-secret', action: 'notify' })).toMatchObject({ known: true })
  expect((await revocation(tokens, { client })(form('k-5-secret', 'quiet'))).status).toBe(200)
  expect((await report(form('k-6-secret', '198.51.100.8'))).status).toBe(200)
  const unknown = revocationByPossession(tokens, { ip: () => null as never })
  expect((await unknown(form('k-7-secret', ''))).status).toBe(200)
  for (const key of [5, 6, 7]) expect(await verdict(tokens.verify(`k-${key}-secret`))).toBe('token_revoked')
})
