import { expect, it } from 'vitest'
import { originOf } from '../../src/http/same-origin.js'

const silent = (): void => {}

it.each([
  ['https://api.example', 'own'],
  ['https://other.example', 'other'],
] as const)(
  'over HTTP/2, originOf() classifies a POST from %s as "%s" if Host and :authority differ (RFC 9113 §8.3.1)',
  (origin, expected) => {
    const headers = [':method', 'POST', ':authority', 'api.example', 'host', 'other.example', 'origin', origin]
    expect(originOf('POST', headers, undefined, silent)).toBe(expected)
  },
)

it('a web request without a host counts as cross-origin', () => {
  expect(originOf('POST', new Headers({ origin: 'https://api.example' }), undefined, silent)).toBe('other')
})
