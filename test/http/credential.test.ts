import { InvalidInputError } from 'latchkey'
import { describe, expect, it } from 'vitest'
import { createCredentialReader, readCredential } from '../../src/http/credential.js'
import { fc } from '../support/property.js'

const flat = (...values: readonly string[]): readonly string[] => values.flatMap((value) => ['Authorization', value])
const kindOf = (value: string): string => readCredential(flat(value)).kind

describe('readCredential', () => {
  it('reads Node’s flat list of headers and a web Headers alike', () => {
    const token = { kind: 'token', token: 'abc-._~+/==' }
    expect(readCredential(['Host', 'x', 'aUTHORIZATION', 'BEARER  abc-._~+/=='])).toEqual(token)
    expect(readCredential(new Headers({ authorization: 'bearer abc-._~+/==' }))).toEqual(token)
    expect(readCredential(['Host', 'x'])).toEqual({ kind: 'missing' })
    expect(readCredential(new Headers())).toEqual({ kind: 'missing' })
  })

  it('does not take a value for a name', () => {
    expect(readCredential(['X-Name', 'Authorization', 'Bearer abc', 'x']).kind).toBe('missing')
    expect(readCredential(['X-Odd', 'authorization', 'Authorization']).kind).toBe('missing')
  })

  it.each([
    ['no token', 'Bearer'],
    ['characters that no token has', 'Bearer a b'],
    ['too long', `Bearer ${'a'.repeat(9000)}`],
    ['no authentication scheme', '"Bearer" abc'],
    ['more than one credential', 'Basic abc, Bearer def'],
  ])('says why a credential is malformed: %s', (reason, value) => {
    expect(readCredential(flat(value))).toEqual({ kind: 'malformed', reason })
  })

  it('refuses two headers also where a list of parameters would have been one credential', () => {
    expect(readCredential(flat('Digest a="1"', 'b="2"'))).toEqual({ kind: 'malformed', reason: 'more than one authorization header' })
  })

  it('finds the second credential in what a web Headers joined', () => {
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

  it('never throws, and gives a token only for the grammar of RFC 6750', () => {
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

  it('takes time in proportion to the length of the value at most', () => {
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

describe('the option credential', () => {
  it('reads a header of another name, in any case', () => {
    const reader = createCredentialReader({ header: 'X-API-Key' })
    expect(reader.header).toBe('x-api-key')
    expect(reader.read(['x-Api-kEY', ' abc\t'])).toEqual({ kind: 'token', token: 'abc' })
    expect(reader.read(['authorization', 'Bearer abc'])).toEqual({ kind: 'missing' })
    expect(reader.read(['X-Api-Key', '']).kind).toBe('malformed')
    expect(reader.read(['X-Api-Key', 'abc', 'X-Api-Key', 'abc']).kind).toBe('malformed')
  })

  it.each([
    null,
    'Bearer',
    'basic',
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
  ])('is refused when it is made: %j', (source) => {
    expect(() => createCredentialReader(source as never)).toThrow(InvalidInputError)
  })
})
