import { InvalidInputError, latchkey, type Principal } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { describe, expect, it } from 'vitest'
import { createGuard } from '../../src/http/authenticate.js'
import { createScopeCheck } from '../../src/http/require-scopes.js'
import { readRequirement, type ScopeArguments } from '../../src/http/requirement.js'
import { allowing, type FakeRequest, fakePlatform, fakePrincipal, fakeTokens, withToken } from './fake.js'

type Args = ScopeArguments<FakeRequest>

/** Checks an admitted request and returns the status and code, or 'ran'. */
async function check(args: Args, principal = fakePrincipal(['a:read'], { warehouse: ['w1'] })): Promise<unknown> {
  const request = withToken()
  await createGuard(
    fakeTokens(() => allowing(principal)),
    { onWarning: () => undefined },
    fakePlatform(),
  )(request)
  const refusal = await createScopeCheck(args)(request)
  return refusal === undefined ? 'ran' : [refusal.status, JSON.parse(refusal.body).code]
}

describe('the arguments of requireScopes', () => {
  it('requireScopes() accepts a list of scopes, { any }, and resources', () => {
    expect(readRequirement(['a:b', 'c:d'])).toMatchObject({ scopes: ['a:b', 'c:d'], any: false, name: 'a:b c:d', resources: [] })
    expect(readRequirement([{ any: ['a:b', 'c:d'] }])).toMatchObject({ scopes: ['a:b', 'c:d'], any: true, name: 'a:b c:d', resources: [] })
    expect(readRequirement(['a:b', { warehouse: 'w1' }])).toMatchObject({
      scopes: ['a:b'],
      any: false,
      name: 'a:b',
      resources: [['warehouse', 'w1']],
    })
    expect(readRequirement(['a:b', { any: 'w1' }])).toMatchObject({ scopes: ['a:b'], any: false, name: 'a:b', resources: [['any', 'w1']] })
    expect(readRequirement([{ any: ['a:b'] }, { any: ['w1'] }])).toMatchObject({
      scopes: ['a:b'],
      any: true,
      name: 'a:b',
      resources: [['any', ['w1']]],
    })
  })

  it.each([
    [],
    [{}],
    [{ any: [] }],
    [{ any: 'a:b' }],
    [{ all: ['a:b'] }],
    [{ any: ['a:b'], all: [] }],
    [{ any: ['a:b'] }, 'c:d'],
    ['a:b', { any: ['c:d'] }, 'e:f'],
    ['a:b', ['c:d']],
    [['a:b']],
    ['a:b', {}],
    ['a:b', { warehouse: undefined }],
    ['a:b', { warehouse: null }],
    ['a:b', { warehouse: '' }],
    ['a:b', { warehouse: [] }],
    ['a:b', { warehouse: [''] }],
    ['a:b', { warehouse: 1 }],
    ['a:b', { 'ware house': 'w1' }],
    ['a:b', JSON.parse('{"__proto__":"w1"}')],
    [{ warehouse: 'w1' }],
    [''],
    ['*'],
    ['a:*'],
    ['@group'],
    ['A:b'],
    ['a:b c:d'],
    ['a:b', undefined],
    ['a:b', null],
    [undefined],
    [null],
    [1],
    [{ any: ['a:b', undefined] }],
  ])('requireScopes() rejects the arguments %j when the route is created', (...args) => {
    expect(() => createScopeCheck(args as unknown as Args)).toThrow(InvalidInputError)
  })
})

describe('an instance passed to requireScopes()', () => {
  it('requireScopes() rejects an instance and names the call that accepts one', () => {
    const given = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: { 'a:b': 'x' } })
    expect(() => readRequirement([given, 'a:b'])).toThrow("protect(tokens, 'a:b')")
  })
})

describe('a group or wildcard as a required scope', () => {
  it.each(['@staff', 'a:*', '*'])('requireScopes() rejects %s and explains that groups and wildcards are for tokens', (scope) => {
    const told = 'must be the plain name of a scope, such as inventory:read: groups and wildcards are for tokens'
    expect(() => createScopeCheck<FakeRequest>([scope as 'a:b'])).toThrow(told)
  })
})

describe('a scope check', () => {
  it('a scope check requires all listed scopes, or one of them with { any }', async () => {
    expect(await check(['a:read'])).toBe('ran')
    expect(await check(['a:read', 'a:write'])).toEqual([403, 'scope_insufficient'])
    expect(await check([{ any: ['a:write', 'a:read'] }])).toBe('ran')
    expect(await check([{ any: ['a:write'] }])).toEqual([403, 'scope_insufficient'])
  })

  it('a scope check requires every value of every dimension', async () => {
    const both = fakePrincipal(['a:read'], { warehouse: ['w1', 'w2'], zone: ['n'] })
    expect(await check(['a:read', { warehouse: ['w1', 'w2'], zone: 'n' }], both)).toBe('ran')
    expect(await check(['a:read', { warehouse: ['w1', 'w3'] }], both)).toEqual([403, 'resource_denied'])
    expect(await check(['a:read', { warehouse: 'w1', zone: 's' }], both)).toEqual([403, 'resource_denied'])
  })

  it('a scope check calls no resource function before the scope is granted', async () => {
    let asked = 0
    const warehouse = (): string => {
      asked += 1
      return 'w1'
    }
    expect(await check(['a:write', { warehouse }])).toEqual([403, 'scope_insufficient'])
    expect(asked).toBe(0)
  })

  it('a scope check leaves no unhandled rejection when two resource functions fail at different times', async () => {
    const late = (): Promise<string> => new Promise((_, reject) => setTimeout(reject, 5))
    const now = (): string => {
      throw undefined
    }
    expect(await check(['a:read', { warehouse: late, zone: now }])).toEqual([503, 'store_unavailable'])
    await new Promise((resolve) => setTimeout(resolve, 20))
  })

  it('a scope check requires allows() to return true, and answers 503 if allows() throws', async () => {
    const truthy = { ...fakePrincipal([]), allows: (() => 'yes') as unknown as () => boolean }
    expect(await check(['a:read'], truthy)).toEqual([403, 'scope_insufficient'])
    const throwing = {
      ...fakePrincipal([]),
      allows: (): boolean => {
        throw undefined
      },
    }
    expect(await check(['a:read'], throwing)).toEqual([503, 'store_unavailable'])
  })

  it('a scope check refuses a scope that is named like an inherited property', async () => {
    const all = { ...fakePrincipal([]), allows: () => true }
    expect(await check(['constructor' as 'a:read'], all)).toEqual([403, 'scope_insufficient'])
  })

  it('a scope check trusts only a guard, not properties of the request', async () => {
    const claimed = { ...withToken(), principal: fakePrincipal(['a:read']), admission: {}, use: {} }
    const refusal = await createScopeCheck<FakeRequest>(['a:read'])(claimed)
    expect(refusal?.status).toBe(500)
  })
})

describe('limited principals', () => {
  const resources = { warehouse: ['w1'] }
  const token = { ...fakePrincipal(['a:read'], resources), resources }
  const session = () => ({ id: 'ada', scopes: ['a:read'], resources })

  it.each<[who: string, request: FakeRequest]>([
    ['a token', withToken()],
    ['a session', { headers: [] }],
  ])('%s with limited resources passes only routes that name the resource when resources are explicit', async (_who, request) => {
    const options = { session, resources: 'explicit', onWarning: () => undefined } as const
    const guard = createGuard(
      fakeTokens(() => allowing(token)),
      options,
      fakePlatform(),
    )
    expect((await guard(request)).response).toBeUndefined()
    expect((await createScopeCheck<FakeRequest>(['a:read'])(request))?.code).toBe('resource_denied')
    expect(await createScopeCheck<FakeRequest>(['a:read', { warehouse: () => 'w1' }])(request)).toBeUndefined()
  })
})

describe('an admitted use', () => {
  const scopeOf = async (principal: Principal, ...checks: readonly Args[]): Promise<unknown> => {
    const tokens = fakeTokens(() => allowing(principal))
    const request = withToken()
    const outcome = await createGuard(tokens, { onWarning: () => undefined }, fakePlatform())(request)
    for (const args of checks) await createScopeCheck(args)(request)
    outcome.use?.done('GET /stock')
    return tokens.uses.map((use) => Reflect.get(Object(use), 'scope'))
  }

  it('a use is counted with the scopes that its checks required, sorted', async () => {
    const able = fakePrincipal(['a:read', 'a:write'])
    expect(await scopeOf(able)).toEqual([''])
    expect(await scopeOf(able, ['a:read'])).toEqual(['a:read'])
    expect(await scopeOf(able, ['a:write', 'a:read'])).toEqual(['a:read a:write'])
    expect(await scopeOf(able, ['a:write'], ['a:read'], ['a:write'])).toEqual(['a:read a:write'])
  })

  it('a use is counted with the alternative scope that granted it, or with all alternatives if none granted it', async () => {
    expect(await scopeOf(fakePrincipal(['a:write']), [{ any: ['a:read', 'a:write'] }])).toEqual(['a:write'])
    expect(await scopeOf(fakePrincipal([]), [{ any: ['a:write', 'a:read'] }])).toEqual(['a:read a:write'])
  })
})
