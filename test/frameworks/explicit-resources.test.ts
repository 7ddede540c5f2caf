import { type Latchkey, latchkey, type ResourceMode } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { authenticate, requireScopes } from 'latchkey/web'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { HttpHarness, SiteRoute } from '../http-contract/types.js'
import { harnesses } from '../support/http/harnesses.js'

const TOKENS = {
  unlimited: undefined,
  'limited in nothing': {},
  'limited to nothing': { warehouse: [] },
  'limited in one': { warehouse: ['w1'] },
  'limited in two': { warehouse: ['w1'], region: ['eu'] },
} as const

function make(mode: ResourceMode | undefined): Latchkey {
  const tokens: Latchkey = latchkey({
    prefix: 'acme_live',
    store: memoryStore(),
    scopes: { 'a:read': 'Read' },
    ...(mode !== undefined && { resources: mode }),
  })
  onTestFinished(() => tokens.close())
  return tokens
}

/** Returns which routes each token passes: a route that names no resource and a route that names a warehouse. */
async function passes(harness: HttpHarness, mode: ResourceMode | undefined): Promise<Record<string, readonly number[]>> {
  const tokens = make(mode)
  const route = (path: string, requirement: SiteRoute['requirement']): SiteRoute => ({
    method: 'GET',
    path,
    guarded: true,
    nested: false,
    requirement,
    answer: async () => ({}),
  })
  const running = await harness.start({
    tokens,
    options: {},
    trustProxy: false,
    routes: [
      route('/api/all', () => ['a:read']),
      route('/api/warehouses/:id', (find) => ['a:read', { warehouse: (request: never) => find(request, 'id') }] as never),
    ],
  })
  onTestFinished(async () => void (await running.close()))
  const seen: Record<string, readonly number[]> = {}
  for (const [name, resources] of Object.entries(TOKENS)) {
    const { token } = await tokens.system.create({ name, scopes: ['a:read'], ...(resources !== undefined && { resources }) })
    const get = async (path: string) =>
      (await fetch(`http://127.0.0.1:${running.port}${path}`, { headers: { authorization: `Bearer ${token}` } })).status
    seen[name] = [await get('/api/all'), await get('/api/warehouses/w1')]
  }
  return seen
}

describe.each(harnesses.map((harness) => [harness.name, harness] as const))(
  '%s with tokens limited to some resources',
  (_name, harness) => {
    it('limited tokens pass a route that names no resource by default', async () => {
      expect(await passes(harness, undefined)).toEqual({
        unlimited: [200, 200],
        'limited in nothing': [200, 200],
        'limited to nothing': [200, 403],
        'limited in one': [200, 200],
        'limited in two': [200, 200],
      })
    })

    it('limited tokens are refused with resources: explicit unless the route names every limited dimension', async () => {
      expect(await passes(harness, 'explicit')).toEqual({
        unlimited: [200, 200],
        'limited in nothing': [200, 200],
        'limited to nothing': [403, 403],
        'limited in one': [403, 200],
        'limited in two': [403, 403],
      })
    })
  },
)

describe('the resources option', () => {
  const limited = async (tokens: Latchkey) =>
    (await tokens.system.create({ name: 'x', scopes: ['a:read'], resources: { warehouse: [] } })).token
  const ask = (token: string): Request => new Request('http://host.test/all', { headers: { authorization: `Bearer ${token}` } })
  const require = requireScopes('a:read')

  it('the resources option of a guard overrides the option of the instance, in both directions', async () => {
    const strict = make('explicit')
    const token = await limited(strict)
    expect((await authenticate(strict, ask(token), { require })).response?.status).toBe(403)
    expect((await authenticate(strict, ask(token), { require, resources: 'implicit' })).response).toBeUndefined()
    const open = make(undefined)
    const other = await limited(open)
    expect((await authenticate(open, ask(other), { require, resources: 'explicit' })).response?.status).toBe(403)
  })

  it("the resources option still applies when a handler clears the principal's resources", async () => {
    const tokens = make('explicit')
    const request = ask(await limited(tokens))
    const { principal } = await authenticate(tokens, request)
    Reflect.set(Object(principal), 'resources', undefined)
    expect((await require(request))?.status).toBe(403)
  })

  it('the resources option applies to sessions and foreign bearer tokens as it does to tokens', async () => {
    const tokens = make('explicit')
    const anonymous = new Request('http://host.test/all')
    const resources = { warehouse: ['w1'] }
    const session = () => ({ id: 'ada', scopes: '*' as const, resources })
    const foreign = () => ({ tokenId: 'legacy', scopes: ['a:read'], resources })
    const named = requireScopes('a:read', { warehouse: 'w1' })
    const status = async (request: Request, require: typeof named) =>
      (await authenticate(tokens, request, { session, foreign, require })).response?.status
    for (const request of [anonymous, ask('legacy-key')]) {
      expect([await status(request, require), await status(request, named)]).toEqual([403, undefined])
    }
    const free = { session: () => ({ id: 'ada', scopes: '*' as const }), require }
    expect((await authenticate(tokens, anonymous, free)).response).toBeUndefined()
  })

  it('an undefined or unknown resources option is rejected', async () => {
    const tokens = make(undefined)
    for (const resources of [undefined, 'strict', true]) {
      await expect(authenticate(tokens, ask('x'), { resources: resources as ResourceMode })).rejects.toMatchObject({ field: 'resources' })
    }
    expect(() => make('strict' as ResourceMode)).toThrow("'explicit' or 'implicit'")
  })

  it("a refusal by the resources option is counted in the token's usage", async () => {
    const tokens = make('explicit')
    const { token, record } = await tokens.system.create({ name: 'x', scopes: ['a:read'], resources: { warehouse: [] } })
    await authenticate(tokens, ask(token), { require })
    await tokens.flush()
    expect(JSON.stringify(await tokens.system.usage(record.id))).toContain('resource_denied')
  })
})
