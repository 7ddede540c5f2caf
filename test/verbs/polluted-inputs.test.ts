import { accept } from 'latchkey/jwt'
import { management } from 'latchkey/web'
import { expect, it, onTestFinished } from 'vitest'
import { instance, mint, principalOf, refusal, verdict } from '../latchkey/harness.js'

function pollute(name: string, value: unknown): void {
  Object.defineProperty(Object.prototype, name, { value, configurable: true, enumerable: false, writable: true })
  onTestFinished(() => void Reflect.deleteProperty(Object.prototype, name))
}

const clean = (name: string): void => void Reflect.deleteProperty(Object.prototype, name)

it.each([[], [{}]])('a polluted `overlap` keeps no replaced token alive (rotate(id, %o))', async (...given) => {
  const tokens = instance()
  const { token, record } = await mint(tokens)
  pollute('overlap', '7d')
  await tokens.system.rotate(record.id, ...given)
  clean('overlap')
  expect(await verdict(tokens.verify(token))).toBe('token_revoked')
})

it('a polluted `overlap` is not read from the body of a request to the management API', async () => {
  const tokens = instance()
  const { token, record } = await mint(tokens)
  const api = management(tokens, { mountPath: '/tokens', actor: () => ({ id: 'ann', tenants: '*', manages: 'all' }) })
  pollute('overlap', '7d')
  const headers = { 'content-type': 'application/json', origin: 'https://api.example' }
  const request = new Request(`https://api.example/tokens/${record.id}/rotate`, { method: 'POST', headers, body: '{}' })
  expect((await api(request)).status).toBe(201)
  clean('overlap')
  expect(await verdict(tokens.verify(token))).toBe('token_revoked')
})

it('a polluted `expiresIn` does not make a new token expire', async () => {
  const tokens = instance()
  pollute('expiresIn', '1d')
  const { record } = await tokens.system.create({ name: 'ERP', scopes: ['stock:read'] })
  expect(record.expiresAt).toBeUndefined()
})

it('a polluted `all` does not revoke the tokens of every tenant', async () => {
  const tokens = instance()
  const { token } = await mint(tokens)
  pollute('all', true)
  expect(await refusal(tokens.system.revokeAll({} as never))).toBe('invalid_input revokeAll()')
  expect(await verdict(tokens.verify(token))).toBe('ok')
})

it('a polluted `ip` is not used as the address of a verification', async () => {
  const tokens = instance()
  const { token } = await mint(tokens, { allowedIps: ['192.0.2.7'] })
  pollute('ip', '192.0.2.7')
  expect(await verdict(tokens.verify(token, {}))).toBe('ip_denied')
  expect(await verdict(tokens.verify(token, { method: 'GET' }))).toBe('ip_denied')
  expect(await verdict(accept(tokens).verify(token, {}))).toBe('ip_denied')
})

it('fields inherited from a class of the host are read', async () => {
  const tokens = instance()
  const { token } = await mint(tokens, { allowedIps: ['192.0.2.7'] })
  class Given {
    get ip(): string {
      return '192.0.2.7'
    }
  }
  expect((await principalOf(tokens.verify(token, new Given()))).name).toBe('ERP')
  class Fields {
    get name(): string {
      return 'by a class'
    }
    readonly scopes = ['stock:read'] as const
  }
  expect((await tokens.system.create({ ...new Fields(), name: new Fields().name })).record.name).toBe('by a class')
  expect((await tokens.system.create(new Fields() as never)).record.name).toBe('by a class')
})
