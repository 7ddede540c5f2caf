import { InvalidInputError } from 'latchkey'
import { describe, expect, it } from 'vitest'
import { admissionOf } from '../../src/http/admission.js'
import { createGuard } from '../../src/http/authenticate.js'
import { allowing, fakePlatform, fakePrincipal, fakeTokens, withToken } from './fake.js'

const principal = fakePrincipal(['a:read'])

describe('a guard', () => {
  it('answers at once where the decision comes at once, and later where it comes later', async () => {
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

  it('passes the token, the address and the method on, and nothing else', () => {
    const seen: unknown[] = []
    const guard = createGuard(
      fakeTokens((...args) => void seen.push(args)),
      {},
      fakePlatform(),
    )
    guard({ headers: ['Authorization', 'Bearer abc'], ip: '192.0.2.1', method: 'PUT' })
    expect(seen).toEqual([['abc', { ip: '192.0.2.1', method: 'PUT' }]])
  })

  it('answers 503 when the request itself cannot be read', () => {
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

  it('forgets what an earlier guard said before it decides, whatever it decides', async () => {
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

  it('counts a use once, however often it is told that the response is over', async () => {
    const tokens = fakeTokens(() => allowing(principal))
    const outcome = await createGuard(tokens, {}, fakePlatform())({ ...withToken(), ip: '192.0.2.1' })
    outcome.use?.done('GET /x')
    outcome.use?.done('GET /y')
    expect(tokens.uses).toEqual([{ tokenId: 't1', endpoint: 'GET /x', scope: '', outcome: 'allowed', ip: '192.0.2.1' }])
  })

  it('is not hurt by counting that fails', async () => {
    const tokens = fakeTokens(() => allowing(principal))
    const broken = Object.assign(tokens, {
      countUse: () => {
        throw undefined
      },
    })
    const outcome = await createGuard(broken, {}, fakePlatform())(withToken())
    expect(() => outcome.use?.done('')).not.toThrow()
  })

  it('counts one use where two guards of one instance let the same token in', async () => {
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

  it('counts a use each where guards of two instances let a request in', async () => {
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

  it('takes an optional guard before a strict one for no mistake', async () => {
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
  ])('%j are refused when the guard is made, by the name of the field', (options, field) => {
    const make = (): unknown => createGuard(tokens, options as object, fakePlatform())
    expect(make).toThrow(InvalidInputError)
    expect(make).toThrow(expect.objectContaining({ field }))
  })

  it.each([undefined, null, {}, 'tokens', Promise.resolve(tokens), { decide: true, countUse: true }])('%j are no tokens', (wrong) => {
    expect(() => createGuard(wrong as never, {}, fakePlatform())).toThrow(expect.objectContaining({ field: 'tokens' }))
  })

  it('do not change when the caller changes the object later', () => {
    const options = { optional: false }
    const guard = createGuard(tokens, options, fakePlatform())
    options.optional = true
    expect(guard({ headers: [] })).toMatchObject({ response: { status: 401 } })
  })

  it('that are undefined are the defaults', () => {
    const guard = createGuard(
      tokens,
      { optional: undefined, realm: undefined, credential: undefined, errorBody: undefined },
      fakePlatform(),
    )
    expect(guard({ headers: [] })).toMatchObject({ response: { status: 401, headers: { 'www-authenticate': 'Bearer realm="api"' } } })
  })
})
