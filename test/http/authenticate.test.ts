import { InvalidInputError } from 'latchkey'
import { describe, expect, it } from 'vitest'
import { admissionOf } from '../../src/http/admission.js'
import { createGuard } from '../../src/http/authenticate.js'
import { allowing, fakePlatform, fakePrincipal, fakeTokens, withToken } from './fake.js'

const principal = fakePrincipal(['a:read'])

describe('a guard', () => {
  it('a guard answers synchronously if the decision is synchronous, and asynchronously otherwise', async () => {
    const now = createGuard(
      fakeTokens(() => allowing(principal)),
      {},
      fakePlatform(),
    )(withToken())
    expect(now).toMatchObject({ principal: { tokenId: 't1' } })
    const later = createGuard(
      fakeTokens(async () => allowing(principal)),
      {},
      fakePlatform(),
    )(withToken())
    expect(later).toBeInstanceOf(Promise)
    expect(await later).toMatchObject({ principal: { tokenId: 't1' } })
  })

  it('a guard passes only the token, the address and the method to the decision', () => {
    const seen: unknown[] = []
    const guard = createGuard(
      fakeTokens((...args) => void seen.push(args)),
      {},
      fakePlatform(),
    )
    guard({ headers: ['Authorization', 'Bearer abc'], ip: '192.0.2.1', method: 'PUT' })
    expect(seen).toEqual([['abc', { ip: '192.0.2.1', method: 'PUT' }]])
  })

  it('a guard answers 503 when the request itself cannot be read', () => {
    const platform = {
      ...fakePlatform(),
      read: () => {
        throw undefined
      },
    }
    const outcome = createGuard(
      fakeTokens(() => allowing(principal)),
      { optional: true },
      platform,
    )(withToken())
    expect(outcome).toMatchObject({ response: { status: 503 } })
  })

  it("a guard clears an earlier guard's admission before it decides", async () => {
    const request = withToken()
    createGuard(
      fakeTokens(() => allowing(principal)),
      {},
      fakePlatform(),
    )(request)
    expect(admissionOf(request)?.principal).toBe(principal)
    const refused = createGuard(
      fakeTokens(() => Promise.resolve({ ok: false, code: 'token_revoked' })),
      {},
      fakePlatform(),
    )(request)
    expect(admissionOf(request)).toBeUndefined()
    await refused
    expect(admissionOf(request)).toBeUndefined()
  })

  it('a use is counted once, however often the end of the response is reported', async () => {
    const tokens = fakeTokens(() => allowing(principal))
    const outcome = await createGuard(tokens, {}, fakePlatform())({ ...withToken(), ip: '192.0.2.1' })
    outcome.use?.done('GET /x')
    outcome.use?.done('GET /y')
    expect(tokens.uses).toEqual([{ tokenId: 't1', endpoint: 'GET /x', scope: '', outcome: 'allowed', ip: '192.0.2.1', isCounted: false }])
  })

  it('a failure to count a use does not throw', async () => {
    const tokens = fakeTokens(() => allowing(principal))
    const broken = Object.assign(tokens, {
      countUse: () => {
        throw undefined
      },
    })
    const outcome = await createGuard(broken, {}, fakePlatform())(withToken())
    expect(() => outcome.use?.done('')).not.toThrow()
  })

  it('two guards of one instance count one use for the same token and warn about the second guard', async () => {
    const tokens = fakeTokens(() => allowing(principal))
    const request = withToken()
    const warnings: string[] = []
    const options = { onWarning: ({ code }: { code: string }) => void warnings.push(code) }
    const first = await createGuard(tokens, options, fakePlatform())(request)
    const second = await createGuard(tokens, options, fakePlatform())(request)
    first.use?.done('GET /x')
    second.use?.done('GET /x')
    expect(tokens.uses).toHaveLength(1)
    expect(warnings).toEqual(['LATCHKEY_W001'])
  })

  it('guards of two instances count one use each', async () => {
    const one = fakeTokens(() => allowing(principal))
    const two = fakeTokens(() => allowing(fakePrincipal(['a:read'], {}, 't2')))
    const request = withToken()
    const warnings: unknown[] = []
    const first = await createGuard(one, {}, fakePlatform())(request)
    const second = await createGuard(two, { onWarning: (warning) => warnings.push(warning) }, fakePlatform())(request)
    first.use?.done('')
    second.use?.done('')
    expect([one.uses.length, two.uses.length, warnings.length]).toEqual([1, 1, 0])
    expect(admissionOf(request)?.principal?.tokenId).toBe('t2')
  })

  it('an optional guard before a strict guard causes no warning', async () => {
    const tokens = fakeTokens(() => allowing(principal))
    const warnings: unknown[] = []
    const options = { onWarning: (warning: unknown) => warnings.push(warning) }
    const request = withToken()
    await createGuard(tokens, { ...options, optional: true }, fakePlatform())(request)
    await createGuard(tokens, options, fakePlatform())(request)
    expect(warnings).toEqual([])
  })
})

describe('options', () => {
  const tokens = fakeTokens(() => allowing(principal))

  it.each([
    [{ optinal: true }, 'optinal'],
    [{ optional: 'yes' }, 'optional'],
    [{ optional: 1 }, 'optional'],
    [{ realm: '' }, 'realm'],
    [{ realm: 'a\nb' }, 'realm'],
    [{ credential: 'cookie' }, 'credential'],
    [{ credential: { header: 'authorization' } }, 'credential.header'],
    [{ errorBody: {} }, 'errorBody'],
    [{ onWarning: 'log' }, 'onWarning'],
    [null, 'options'],
    [[], 'options'],
    ['optional', 'options'],
  ])('createGuard() rejects the options %j by field name', (options, field) => {
    const make = (): unknown => createGuard(tokens, options as object, fakePlatform())
    expect(make).toThrow(InvalidInputError)
    expect(make).toThrow(expect.objectContaining({ field }))
  })

  it.each([undefined, null, {}, 'tokens', Promise.resolve(tokens), { decide: true, countUse: true }])(
    'createGuard() rejects %j as tokens',
    (wrong) => {
      expect(() => createGuard(wrong as never, {}, fakePlatform())).toThrow(expect.objectContaining({ field: 'tokens' }))
    },
  )

  it('later changes to the options object do not affect a guard', () => {
    const options = { optional: false }
    const guard = createGuard(tokens, options, fakePlatform())
    options.optional = true
    expect(guard({ headers: [] })).toMatchObject({ response: { status: 401 } })
  })

  it('an option that is undefined has its default value', () => {
    const guard = createGuard(
      tokens,
      { optional: undefined, realm: undefined, credential: undefined, errorBody: undefined },
      fakePlatform(),
    )
    expect(guard({ headers: [] })).toMatchObject({ response: { status: 401, headers: { 'www-authenticate': 'Bearer realm="api"' } } })
  })
})
