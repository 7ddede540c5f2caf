import { InvalidInputError } from 'latchkey'
import { describe, expect, it } from 'vitest'
import { createCredentialReader, readCredential } from '../../src/http/credential.js'
import { fc } from '../support/property.js'

const flat = (...values: readonly string[]): readonly string[] => values.flatMap((value) => ['Authorization', value])
const kindOf = (value: string): string => readCredential(flat(value)).kind

describe('readCredential', () => {
  it('readCredential() reads Node’s flat header list and a web Headers object in the same way', () => {
    const token = { kind: 'token', token: 'abc-._~+/==' }
    expect(readCredential(['Host', 'x', 'aUTHORIZATION', 'BEARER  abc-._~+/=='])).toEqual(token)
    expect(readCredential(new Headers({ authorization: 'bearer abc-._~+/==' }))).toEqual(token)
    expect(readCredential(['Host', 'x'])).toEqual({ kind: 'missing' })
    expect(readCredential(new Headers())).toEqual({ kind: 'missing' })
  })

  it('readCredential() does not mistake a header value for a name', () => {
    expect(readCredential(['X-Name', 'Authorization', 'Bearer abc', 'x']).kind).toBe('missing')
    expect(readCredential(['X-Odd', 'authorization', 'Authorization']).kind).toBe('missing')
  })

  it.each([
    ['The token is missing', ['Bearer', '']],
    ['The token contains white space', ['Bearer a b', 'Bearer a\nb', 'Bearer \ta', 'Bearer [object Object]']],
    ['The token contains an invalid character', ['Bearer a;', 'Bearer a\\n', 'Bearer é', 'Bearer =a']],
    ['The token is too long', [`Bearer ${'a'.repeat(9000)}`]],
    ['The value contains quotation marks', ['Bearer "a"', "Bearer 'a'", 'Bearer `a`', '"Bearer a"', '"Bearer" a']],
    ['The token is preceded by the wrong scheme', ['Bearer Bearer a', 'Bearer bearer: a', 'Bearer Token a', 'Bearer Basic YTpi']],
    ['The scheme must be followed by a space', ['Bearer: a', 'bearer=a', 'Bearer:a', 'Bearer\ta', 'Bearer/a', 'Bearer\xa0a']],
    ['The value contains a comma', ['Bearer a,', 'Bearer ,a', 'Bearer a, ']],
    [
      'The request carries more than one credential',
      ['Bearer a, Bearer b', 'a, Bearer a', 'Basic abc, Bearer def', 'Digest a="1", Bearer b'],
    ],
    ['The token is in angle brackets, which are only placeholders', ['Bearer <a>', 'Bearer <your token>']],
    ['The token is a placeholder that was not filled in', ['Bearer $TOKEN', `Bearer ${'$'}{TOKEN}`, 'Bearer {{token}}', 'Bearer %TOKEN%']],
    ['The token is sent as a parameter', ['Bearer token=a', 'Bearer realm="api"']],
    ['The value repeats the name of the header', ['Authorization: Bearer a', 'Bearer Authorization: Bearer a', 'authorization=a']],
    ['The value does not begin with a scheme', ['=Bearer a', '<a>', '\xa0Bearer a', '{"token":"a"}']],
  ])('readCredential() reports why a credential is malformed: %s', (reason, values) => {
    expect(values.map((value) => [value, readCredential(flat(value))])).toEqual(
      values.map((value) => [value, { kind: 'malformed', reason }]),
    )
  })

  it('readCredential() rejects two headers even if they would form one credential together', () => {
    expect(readCredential(flat('Digest a="1"', 'b="2"'))).toEqual({
      kind: 'malformed',
      reason: 'The request carries more than one credential',
    })
  })

  it('readCredential() finds a second credential in a field whose values a web Headers object has joined', () => {
    for (const [first, second] of [
      ['Bearer a', 'Bearer a'],
      ['Basic a', 'Bearer b'],
      ['Basic a', 'Basic a'],
      ['Digest a="1"', 'Digest a="1"'],
      ['Digest a="x\\"", b=c', 'Bearer d'],
      ['Basic a', ''],
      ['', 'Basic a'],
    ] as const) {
      const headers = new Headers([
        ['authorization', first],
        ['authorization', second],
      ])
      expect([first, second, readCredential(headers).kind]).toEqual([first, second, 'malformed'])
    }
    expect(kindOf('Digest a="1, Bearer x", b = c')).toBe('missing')
  })

  it('readCredential() never throws and returns a token only for the grammar of RFC 6750', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string({ unit: 'binary' }),
          fc.string().map((text) => `Bearer ${text}`),
        ),
        (value) => {
          const credential = readCredential(flat(value))
          if (credential.kind !== 'token') return true
          return /^[ \t]*bearer +[A-Za-z0-9\-._~+/]+=*[ \t]*$/i.test(value) && value.includes(credential.token)
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('readCredential() reads no token from hostile values of 60,000 characters', () => {
    for (const junk of [
      '='.repeat(60_000),
      ','.repeat(60_000),
      `Basic ${'a="'.repeat(20_000)}`,
      ' '.repeat(60_000),
      '"\\'.repeat(30_000),
    ]) {
      for (const value of [junk, `Bearer ${junk}`, `Digest ${junk}`]) expect(kindOf(value)).not.toBe('token')
    }
  })
})

describe('the credential option', () => {
  it('the credential option reads a custom header regardless of case', () => {
    const reader = createCredentialReader({ header: 'X-API-Key' })
    expect(reader.fields).toEqual(['x-api-key'])
    expect(reader.read(['x-Api-kEY', ' abc\t'])).toEqual({ kind: 'token', token: 'abc' })
    expect(reader.read(['authorization', 'Bearer abc'])).toEqual({ kind: 'missing' })
    expect(reader.read(['X-Api-Key', '']).kind).toBe('malformed')
    expect(reader.read(['X-Api-Key', 'abc', 'X-Api-Key', 'abc']).kind).toBe('malformed')
  })

  it.each([
    null,
    'Bearer',
    'digest',
    '',
    {},
    [],
    { header: '' },
    { header: 1 },
    { header: 'a b' },
    { header: 'a:b' },
    { header: 'x\r\ny' },
    { header: 'x'.repeat(65) },
    { header: 'Authorization' },
    { header: 'cookie' },
    { header: 'x-api-key', other: 1 },
    { name: 'x-api-key' },
    [['bearer']],
    ['bearer', 'bearer'],
    ['bearer', { header: 'X-A' }, { header: 'x-a' }],
  ])('createCredentialReader() rejects the source %j', (source) => {
    expect(() => createCredentialReader(source as never)).toThrow(InvalidInputError)
  })
})

describe('a list of credentials', () => {
  const token = 'acme_live_0123456789abcdef_0123456789012345678901234567890123456789012'
  const reader = createCredentialReader(['bearer', { header: 'x-api-key' }, 'basic'])
  const basic = (user: string, password: string): string => `Basic ${btoa(`${user}:${password}`)}`

  it.each([
    ['a bearer token', ['Authorization', `Bearer ${token}`], { kind: 'token', token }],
    ['a token in a custom header', ['X-API-Key', token], { kind: 'token', token }],
    ['a token as the Basic user name', ['Authorization', basic(token, '')], { kind: 'token', token, resent: true }],
    ['a token as the Basic password', ['Authorization', basic('ada', token)], { kind: 'token', token, resent: true }],
    [
      'a token as the Basic user name with a fixed password',
      ['Authorization', basic(token, 'x-oauth-basic')],
      { kind: 'token', token, resent: true },
    ],
    ['an ordinary Basic password', ['Authorization', basic('ada', 'pw')], { kind: 'token', token: 'pw', resent: true }],
    ['no credential', ['Accept', '*/*'], { kind: 'missing' }],
    ['another scheme', ['Authorization', 'Digest a="1"'], { kind: 'missing' }],
  ])('a list of credentials reads %s', (_, headers, credential) => {
    expect(reader.read(headers)).toEqual(credential)
  })

  it.each([
    ['two different headers', ['Authorization', `Bearer ${token}`, 'X-API-Key', `${token}x`]],
    ['two equal credentials', ['Authorization', `Bearer ${token}`, 'X-API-Key', token]],
    ['Basic and a header', ['Authorization', basic(token, ''), 'X-API-Key', token]],
    ['a valid and a malformed credential', ['Authorization', `Bearer ${token}`, 'X-API-Key', 'a b']],
    ['two tokens in Basic', ['Authorization', basic(token, token)]],
    ['Basic that is not base64', ['Authorization', 'Basic !!!']],
    ['Basic without a colon', ['Authorization', `Basic ${btoa(token)}`]],
    ['Basic with an empty user name and password', ['Authorization', `Basic ${btoa(':')}`]],
    ['Basic with a line break in it', ['Authorization', basic(`${token}\r\nX: y`, '')]],
    ['Basic twice', ['Authorization', basic(token, ''), 'Authorization', basic(token, '')]],
  ])('a list of credentials rejects %s', (_, headers) => {
    expect(reader.read(headers).kind).toBe('malformed')
    expect(reader.read(new Headers(pairs(headers))).kind).toBe('malformed')
  })

  it('a list of credentials names each location in challenges and in the instructions for sending a token', () => {
    expect(reader.fields).toEqual(['authorization', 'x-api-key'])
    expect(reader.challenges.map((challenge) => challenge('"api"'))).toEqual([
      'Bearer realm="api"',
      'ApiKey realm="api", header="x-api-key"',
      'Basic realm="api", charset="UTF-8"',
    ])
    expect(reader.howTo).toBe(
      'send Authorization: Bearer <token> or x-api-key: <token> or Authorization: Basic with the token as user name and an empty password',
    )
  })

  it('Basic is ignored unless it is a configured credential', () => {
    expect(createCredentialReader('bearer').read(['Authorization', basic(token, '')])).toEqual({ kind: 'missing' })
    expect(createCredentialReader('basic').read(['Authorization', `Bearer ${token}`])).toEqual({ kind: 'missing' })
  })
})

const pairs = (flatList: readonly string[]): [string, string][] =>
  flatList.flatMap((name, at) => (at % 2 === 0 ? [[name, (flatList[at + 1] ?? '').replaceAll(/[\r\n]/g, ' ')] as [string, string]] : []))
