import { CODES, InvalidInputError } from 'latchkey'
import { describe, expect, it } from 'vitest'
import { createChallenges } from '../../src/http/challenge.js'
import { createCredentialReader } from '../../src/http/credential.js'
import { problemOf, publicCode } from '../../src/http/problem.js'
import { createRefusals } from '../../src/http/refuse.js'

describe('public codes', () => {
  it('malformed, unknown and mismatched tokens share one public code, and unknown codes become store_unavailable', () => {
    expect(['token_malformed', 'token_unknown', 'secret_mismatch'].map(publicCode)).toEqual(Array(3).fill('token_invalid'))
    expect(['token_revoked', 'ip_denied', 'rate_limited'].map(publicCode)).toEqual(['token_revoked', 'ip_denied', 'rate_limited'])
    for (const foreign of [undefined, null, 1, '', 'nonsense', 'constructor', '__proto__', 'toString', 'not_found']) {
      expect(publicCode(foreign)).toBe('store_unavailable')
    }
  })

  it('refusals have the status of the code table and a title', () => {
    for (const code of ['token_expired', 'scope_insufficient', 'rate_limited', 'store_unavailable', 'misconfigured'] as const) {
      expect(problemOf(code).status).toBe(CODES[code])
      expect(problemOf(code).title).not.toBe('')
    }
  })
})

const BEARER = createCredentialReader().challenges

describe('challenges', () => {
  it('challenges escape the realm as a quoted-string', () => {
    const challenge = createChallenges('a "b" \\c', BEARER)
    expect(challenge(problemOf('credential_missing'))).toBe('Bearer realm="a \\"b\\" \\\\c"')
  })

  it('challenges name the custom header that carries the token', () => {
    const challenge = createChallenges('api', createCredentialReader({ header: 'x-api-key' }).challenges)
    expect(challenge(problemOf('credential_missing'))).toBe('ApiKey realm="api", header="x-api-key"')
    expect(challenge(problemOf('token_invalid'))).toMatch(/^ApiKey realm="api", header="x-api-key", error="invalid_token"/)
  })

  it('a missing scope causes a challenge, but denied addresses, rate limits and faults do not', () => {
    const challenge = createChallenges('api', BEARER)
    expect(challenge(problemOf('ip_denied'))).toBeUndefined()
    expect(challenge(problemOf('rate_limited'))).toBeUndefined()
    expect(challenge(problemOf('store_unavailable'))).toBeUndefined()
    expect(challenge(problemOf('misconfigured'))).toBeUndefined()
    expect(challenge(problemOf('scope_insufficient'), ['a:b', 'c:d'])).toContain('error="insufficient_scope"')
    expect(challenge(problemOf('scope_insufficient'), ['a:b', 'c:d'])).toContain('scope="a:b c:d"')
  })

  it.each(['', 'a\r\nb', 'ä', 'x'.repeat(129), 1, null])('createChallenges() rejects the realm %j', (realm) => {
    expect(() => createChallenges(realm, BEARER)).toThrow(InvalidInputError)
  })

  it('createChallenges() accepts metadata over https, or http on a loopback address, and nothing else', () => {
    for (const url of ['https://api.example/m', 'http://localhost:3000/m']) {
      expect(createChallenges('api', BEARER, url)(problemOf('credential_missing'))).toContain(`resource_metadata="${url}"`)
    }
    for (const url of ['http://api.example/m', 'javascript:alert(1)', '/m', 'https://api.example/ä', 7]) {
      expect(() => createChallenges('api', BEARER, url)).toThrow(expect.objectContaining({ field: 'resourceMetadata' }))
    }
  })
})

describe('errorBody', () => {
  const DEFAULT = JSON.stringify(problemOf('token_revoked'))

  it('errorBody replaces the body and receives the problem and the request', () => {
    const refuse = createRefusals<string>({ errorBody: (problem, request) => ({ message: problem.detail, request }) })
    const answer = refuse('token_revoked', 'the request')
    expect(answer.body).toBe('{"message":"The token was revoked.","request":"the request"}')
    expect(answer.headers['content-type']).toBe('application/json')
    expect(answer.headers['www-authenticate']).toContain('Bearer')
  })

  const cycle: Record<string, unknown> = {}
  cycle.self = cycle
  const NONSENSE: readonly (readonly [string, () => unknown])[] = [
    ['undefined', () => undefined],
    ['null', () => null],
    ['text', () => 'text'],
    ['a number', () => 1],
    ['true', () => true],
    ['a function', () => () => ({})],
    ['a promise', () => Promise.resolve({ a: 1 })],
    ['a promise that rejects', () => Promise.reject(undefined)],
    ['a cycle', () => cycle],
    ['a bigint inside', () => ({ a: 1n })],
    ['an object that is not serialized to JSON', () => ({ toJSON: () => undefined })],
    ['an object that is serialized to text', () => ({ toJSON: () => 'text' })],
    [
      'an array of a custom class that throws',
      () =>
        new Proxy(
          {},
          {
            ownKeys: () => {
              throw undefined
            },
          },
        ),
    ],
    [
      'nothing but an error',
      () => {
        throw undefined
      },
    ],
  ]
  it.each(NONSENSE)('an errorBody that returns %s falls back to the default body', (_what, errorBody) => {
    const answer = createRefusals({ errorBody: errorBody as () => object })('token_revoked', undefined)
    expect(answer).toEqual(createRefusals()('token_revoked', undefined))
    expect(answer.body).toBe(DEFAULT)
  })

  it('errorBody cannot change the status by modifying the problem', () => {
    const refuse = createRefusals({ errorBody: (problem) => Object.assign(problem, { status: 200, code: 'x' }) })
    expect(refuse('token_revoked', undefined).status).toBe(401)
    expect(createRefusals()('token_revoked', undefined).body).toBe(DEFAULT)
  })
})

describe('Retry-After', () => {
  it.each([
    [undefined, '1'],
    [0, '1'],
    [-5, '1'],
    [0.2, '1'],
    [1.2, '2'],
    [30, '30'],
    [Number.NaN, '1'],
    [Number.POSITIVE_INFINITY, '86400'],
  ])('Retry-After is in whole seconds, between one second and one day: %s', (seconds, header) => {
    const { headers } = createRefusals()('rate_limited', undefined, { retryAfterSeconds: seconds })
    expect([headers['retry-after'], headers.ratelimit]).toEqual([header, `"token";r=0;t=${header}`])
  })
})
