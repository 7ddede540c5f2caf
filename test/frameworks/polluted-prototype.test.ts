import { authenticate, requireScopes } from 'latchkey/web'
import { describe, expect, it, onTestFinished } from 'vitest'
import { instance, mint } from '../latchkey/harness.js'

function pollute(name: string, value: unknown): void {
  Object.defineProperty(Object.prototype, name, { value, configurable: true, enumerable: false, writable: true })
  onTestFinished(() => void Reflect.deleteProperty(Object.prototype, name))
}

describe('options that are read while Object.prototype is polluted', () => {
  it.each([{}, { realm: 'stock' }])('a polluted `optional` admits nobody without a token (options: %o)', async (options) => {
    const tokens = instance()
    pollute('optional', true)
    expect((await authenticate(tokens, new Request('https://api.example/'), options)).response?.status).toBe(401)
  })

  it('a polluted `session` is not asked for a principal', async () => {
    const tokens = instance()
    pollute('session', () => ({ id: 'ann', scopes: '*' }))
    expect((await authenticate(tokens, new Request('https://api.example/'), { realm: 'stock' })).response?.status).toBe(401)
  })

  it('options of a class of the host still count', async () => {
    const tokens = instance()
    const { token } = await mint(tokens, { scopes: ['stock:read'] })
    class Protection {
      get require(): ReturnType<typeof requireScopes> {
        return requireScopes('stock:write')
      }
    }
    const request = new Request('https://api.example/', { headers: { authorization: `Bearer ${token}` } })
    expect((await authenticate(tokens, request, new Protection())).response?.status).toBe(403)
  })

  it('a polluted `ip` is not believed to be the address of the client', async () => {
    const tokens = instance()
    const { token } = await mint(tokens, { allowedIps: ['192.0.2.7'] })
    pollute('ip', '192.0.2.7')
    const request = new Request('https://api.example/', { headers: { authorization: `Bearer ${token}` } })
    expect((await authenticate(tokens, request, {})).response?.status).toBe(403)
  })
})
