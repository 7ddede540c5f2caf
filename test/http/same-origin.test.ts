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
    expect(originOf('POST', headers, undefined, false, silent)).toBe(expected)
  },
)

it('a web request without a host counts as cross-origin', () => {
  expect(originOf('POST', new Headers({ origin: 'https://api.example' }), undefined, false, silent)).toBe('other')
})

it.each([
  ['https://api.example', true, 'own'],
  ['https://api.example', false, 'own'],
  ['http://api.example', false, 'own'],
  ['http://api.example', true, 'other'],
  ['http://api.example:443', true, 'other'],
  ['app://api.example', false, 'other'],
  ['app://api.example', true, 'other'],
  ['chrome-extension://api.example', false, 'other'],
  ['ws://api.example', false, 'other'],
  ['https://user@api.example', true, 'other'],
  ['https://api.example/', true, 'other'],
  ['https://', true, 'other'],
  ['null', true, 'other'],
] as const)('the origin %s of a request over TLS (%s) counts as "%s"', (origin, isSecure, expected) => {
  expect(originOf('POST', ['Host', 'API.example', 'Origin', origin], undefined, isSecure, silent)).toBe(expected)
  expect(originOf('POST', new Headers({ origin }), 'api.example', isSecure, silent)).toBe(expected)
})

it('an origin without a host is not that of a request without a host', () => {
  expect(originOf('POST', ['Host', '', 'Origin', 'https://'], undefined, false, silent)).toBe('other')
})

it('over TLS, the warning names both schemes', () => {
  const told: string[] = []
  originOf('POST', ['Host', 'api.example', 'Origin', 'http://api.example'], undefined, true, ({ message }) => told.push(message))
  expect(told).toEqual([expect.stringMatching(/"http:\/\/api\.example".*"https:\/\/api\.example"/)])
})

const SHAKE = ['Upgrade', 'websocket', 'Sec-WebSocket-Version', '13']
it.each([
  ['a GET', 'GET', [], 'own'],
  ['a WebSocket handshake', 'GET', SHAKE, 'unknown'],
  ['a WebSocket handshake of another page', 'GET', [...SHAKE, 'Origin', 'https://evil.example'], 'other'],
  ['a change with two origins', 'POST', ['Origin', 'https://api.example', 'Origin', 'https://evil.example'], 'other'],
  ['a change with two sites', 'POST', ['Sec-Fetch-Site', 'same-origin', 'Sec-Fetch-Site', 'cross-site'], 'other'],
  ['a change of the same site', 'POST', ['Sec-Fetch-Site', 'same-origin', 'Origin', 'https://other.example'], 'own'],
] as const)('originOf() classifies %s', (_what, method, fields, expected) => {
  expect(originOf(method, ['Host', 'api.example', ...fields], undefined, false, silent)).toBe(expected)
})
