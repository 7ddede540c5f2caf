import { bearer, each, get, request, type Vector } from '../vector.js'
import { forgeryNames } from '../world.js'

const invalid = { refused: 'token_invalid' } as const

/** Token strings, valid and invalid, and the states of a token. */
export const tokenVectors: readonly Vector[] = [
  ...each(forgeryNames, (name) => get('/api/whoami', bearer(name)), invalid, 'forgery '),
  ...each(
    [
      'x',
      '0',
      '-',
      'null',
      'undefined',
      'true',
      'NaN',
      '..',
      '/',
      '+',
      '~',
      '-._~+/',
      '__proto__',
      'constructor',
      'toString',
      'acme_live_',
      'a=',
    ],
    (text) => get('/api/whoami', `Authorization: Bearer ${text}`),
    invalid,
    'not a token ',
  ),
  { name: '8 KB of token characters', request: get('/api/whoami', `Authorization: Bearer ${'x'.repeat(8000)}`), expect: invalid },
  ...(
    [
      ['revoked', 'token_revoked'],
      ['inactive', 'token_inactive'],
      ['inactive-revoked', 'token_revoked'],
      ['expired', 'token_expired'],
      ['pending', 'token_not_yet_valid'],
      ['orphan', 'owner_denied'],
      ['remote', 'ip_denied'],
      ['no-address', 'ip_denied'],
      ['broken-owner', 'store_unavailable'],
    ] as const
  ).flatMap(([name, code]): readonly Vector[] => [
    { name: `${name}, where any token is sufficient`, request: get('/api/whoami', bearer(name)), expect: { refused: code } },
    { name: `${name}, where a scope is required`, request: get('/api/stock', bearer(name)), expect: { refused: code } },
    { name: `${name}, by HEAD`, request: request('HEAD /api/stock', bearer(name)), expect: { refused: code } },
    { name: `${name}, in a nested router`, request: get('/api/nested/stock', bearer(name)), expect: { refused: code } },
  ]),
  ...['reader', 'writer', 'everything', 'nothing', 'reactivated', 'local', 'mapped', 'owned'].map(
    (name): Vector => ({ name: `${name} is admitted`, request: get('/api/whoami', bearer(name)), expect: { ran: 'whoami', as: name } }),
  ),
]
