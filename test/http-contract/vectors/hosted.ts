import { bearer, get, request, type Vector } from '../vector.js'
import { forgeryNames } from '../world.js'

const SAME = 'Sec-Fetch-Site: same-origin'
const CROSS = 'Sec-Fetch-Site: cross-site'
const basic = (user: string, password: string): string => `Authorization: Basic ${btoa(`${user}:${password}`)}`
const as = (id: string): string => `Cookie: sid=${id}`
const missing = { refused: 'credential_missing' } as const
const crossSite = { refused: 'cross_site' } as const
const undecided = { refused: 'store_unavailable' } as const
const invalid = { refused: 'token_invalid' } as const
const changed = { ran: 'change' } as const

/** People with a host session, next to tokens. */
export const sessionVectors: readonly Vector[] = [
  { name: 'a session may read', request: get('/api/stock', as('clerk')), expect: { ran: 'stock' } },
  { name: 'a session with every scope', request: get('/api/both', as('chief')), expect: { ran: 'both' } },
  { name: 'a session with a group and a wildcard', request: get('/api/both', as('grouped')), expect: { ran: 'both' } },
  {
    name: 'a session without the scope',
    request: get('/api/either', as('clerk')),
    expect: { refused: 'scope_insufficient', scope: 'inventory:write billing:read' },
  },
  {
    name: 'a session without scopes',
    request: get('/api/stock', as('nobody')),
    expect: { refused: 'scope_insufficient', scope: 'inventory:read' },
  },
  {
    name: 'a scope that does not exist',
    request: get('/api/ghost', as('chief')),
    expect: { refused: 'scope_insufficient', scope: 'ghost:scope' },
  },
  { name: 'a session with access to the resource', request: get('/api/fixed', as('storeman')), expect: { ran: 'fixed' } },
  {
    name: 'a session without access to the resource',
    request: get('/api/several', as('storeman')),
    expect: { refused: 'resource_denied', scope: 'inventory:read' },
  },
  { name: 'no session', request: get('/api/stock'), expect: missing },
  { name: 'an unknown session', request: get('/api/stock', as('stranger')), expect: missing },
  ...['throws', 'rejects', 'half', 'lost-tenant', 'lost-scopes', 'text', 'odd-resources'].map((id) => ({
    name: `a failing callback: ${id}`,
    request: get('/api/stock', as(id)),
    expect: undecided,
  })),
  { name: 'a change from the same origin', request: request('POST /api/stock', as('chief'), SAME), expect: changed },
  {
    name: 'a change from the same origin, by Origin',
    request: request('POST /api/stock', as('chief'), 'Origin: http://contract.test'),
    expect: changed,
  },
  {
    name: 'a change from the same origin, behind a proxy that ends TLS',
    request: request('POST /api/stock', as('chief'), 'Origin: https://contract.test'),
    expect: changed,
  },
  { name: 'a change by a form on another site', request: request('POST /api/stock', as('chief'), CROSS), expect: crossSite },
  {
    name: 'a change by a page on another subdomain',
    request: request('POST /api/stock', as('chief'), 'Sec-Fetch-Site: same-site'),
    expect: crossSite,
  },
  {
    name: 'a change that was not started by a page',
    request: request('POST /api/stock', as('chief'), 'Sec-Fetch-Site: none'),
    expect: crossSite,
  },
  { name: 'Sec-Fetch-Site sent twice', request: request('POST /api/stock', as('chief'), SAME, CROSS), expect: crossSite },
  {
    name: 'Sec-Fetch-Site sent twice, in reverse order',
    request: request('POST /api/stock', as('chief'), CROSS, SAME),
    expect: crossSite,
  },
  {
    name: 'Sec-Fetch-Site takes precedence over Origin',
    request: request('POST /api/stock', as('chief'), CROSS, 'Origin: http://contract.test'),
    expect: crossSite,
  },
  ...[
    'http://evil.test',
    'null',
    'http://contract.test.evil.test',
    'http://contract.test:81',
    'http://evil.test/contract.test',
    'contract.test',
    'app://contract.test',
    'chrome-extension://contract.test',
    'ws://contract.test',
    'ftp://contract.test',
    'http://user@contract.test',
    'http://contract.test/path',
    '',
  ].map((origin) => ({
    name: `a change from the origin "${origin}"`,
    request: request('POST /api/stock', as('chief'), `Origin: ${origin}`),
    expect: crossSite,
  })),
  {
    name: 'two origins',
    request: request('POST /api/stock', as('chief'), 'Origin: http://contract.test', 'Origin: http://evil.test'),
    expect: crossSite,
  },
  { name: 'a change without Sec-Fetch-Site and Origin', request: request('POST /api/stock', as('chief')), expect: crossSite },
  { name: 'a custom method', request: request('PURGE /api/whoami', as('chief'), CROSS), expect: { closed: true } },
  { name: 'reading from another site changes nothing', request: get('/api/stock', as('chief'), CROSS), expect: { ran: 'stock' } },
  {
    name: 'a token alongside a session counts',
    request: get('/api/stock', as('chief'), bearer('reader')),
    expect: { ran: 'stock', as: 'reader' },
  },
  {
    name: 'a token needs no origin',
    request: request('POST /api/stock', as('chief'), bearer('writer'), CROSS),
    expect: { ran: 'change', as: 'writer' },
  },
  {
    name: 'an invalid token alongside a session',
    request: get('/api/stock', as('chief'), bearer('revoked')),
    expect: { refused: 'token_revoked' },
  },
  { name: 'a forged token alongside a session', request: get('/api/stock', as('chief'), bearer('wrong-secret')), expect: invalid },
  { name: 'an invalid key alongside a session', request: get('/api/stock', as('chief'), 'X-Api-Key: {unknown}'), expect: invalid },
  { name: 'another scheme alongside a session', request: get('/api/stock', as('chief'), 'Authorization: Digest a="1"'), expect: missing },
  {
    name: 'an empty credential alongside a session',
    request: get('/api/stock', as('chief'), 'Authorization: '),
    expect: { refused: 'credential_malformed' },
  },
]

/** Foreign bearer tokens. */
export const foreignVectors: readonly Vector[] = [
  {
    name: 'a bearer credential that the host recognizes',
    request: get('/api/stock', 'Authorization: Bearer legacy-1'),
    expect: { ran: 'stock', as: 'legacy' },
  },
  {
    name: 'a foreign credential in a custom header',
    request: get('/api/stock', 'X-Api-Key: legacy-1'),
    expect: { ran: 'stock', as: 'legacy' },
  },
  {
    name: 'a foreign credential as a password',
    request: get('/api/stock', basic('ada', 'legacy-1')),
    expect: { ran: 'stock', as: 'legacy' },
  },
  {
    name: 'a foreign credential without the scope',
    request: request('POST /api/stock', 'Authorization: Bearer legacy-1'),
    expect: { refused: 'scope_insufficient', scope: 'inventory:write' },
  },
  {
    name: 'a bearer credential that the host does not recognize',
    request: get('/api/stock', 'Authorization: Bearer legacy-2'),
    expect: invalid,
  },
  {
    name: 'a bearer credential that the host does not recognize, alongside a session',
    request: get('/api/stock', 'Authorization: Bearer legacy-2', as('chief')),
    expect: invalid,
  },
  ...['throws', 'rejects', 'half', 'lost-tenant'].map((key) => ({
    name: `a failing callback: ${key}`,
    request: get('/api/stock', `Authorization: Bearer ${key}`),
    expect: undecided,
  })),
  // The foreign callback admits everything that begins like a latchkey token, so it must never be called for these.
  ...forgeryNames
    .filter((name) => !['without-prefix', 'dashed-prefix', 'id-only', 'reversed'].includes(name))
    .map((name) => ({
      name: `a latchkey token is never a foreign credential: ${name}`,
      request: get('/api/stock', bearer(name)),
      expect: invalid,
    })),
  {
    name: 'a latchkey token that is no longer valid is never a foreign credential',
    request: get('/api/stock', bearer('expired')),
    expect: { refused: 'token_expired' },
  },
  {
    name: 'text that begins with our prefix is never a foreign credential',
    request: get('/api/stock', 'Authorization: Bearer acme_live_x'),
    expect: invalid,
  },
]

/** Tokens in Basic, and several credential locations at once. */
export const severalVectors: readonly Vector[] = [
  { name: 'a token as bearer', request: get('/api/stock', bearer('reader')), expect: { ran: 'stock', as: 'reader' } },
  { name: 'a token in a custom header', request: get('/api/stock', 'X-Api-Key: {reader}'), expect: { ran: 'stock', as: 'reader' } },
  {
    name: 'a token as user name',
    request: get('/api/stock', 'Authorization: Basic {reader-as-user}'),
    expect: { ran: 'stock', as: 'reader' },
  },
  {
    name: 'a token as password',
    request: get('/api/stock', 'Authorization: Basic {reader-as-password}'),
    expect: { ran: 'stock', as: 'reader' },
  },
  {
    name: 'a program makes a change with Basic credentials',
    request: request('POST /api/stock', 'Authorization: Basic {writer-as-user}'),
    expect: { ran: 'change', as: 'writer' },
  },
  {
    name: 'a same-origin page with Basic credentials',
    request: request('POST /api/stock', 'Authorization: Basic {writer-as-user}', SAME),
    expect: { ran: 'change', as: 'writer' },
  },
  {
    name: 'a page on another site with Basic credentials',
    request: request('POST /api/stock', 'Authorization: Basic {writer-as-user}', CROSS),
    expect: crossSite,
  },
  {
    name: 'a page on another origin with Basic credentials',
    request: request('POST /api/stock', 'Authorization: Basic {writer-as-user}', 'Origin: http://evil.test'),
    expect: crossSite,
  },
  {
    name: 'a page of an application on this host with Basic credentials',
    request: request('POST /api/stock', 'Authorization: Basic {writer-as-user}', 'Origin: app://contract.test'),
    expect: crossSite,
  },
  {
    name: 'two credentials',
    request: get('/api/stock', bearer('reader'), 'X-Api-Key: {writer}'),
    expect: { refused: 'credential_malformed' },
  },
  {
    name: 'one credential twice',
    request: get('/api/stock', bearer('reader'), 'X-Api-Key: {reader}'),
    expect: { refused: 'credential_malformed' },
  },
  {
    name: 'Basic and a header',
    request: get('/api/stock', 'Authorization: Basic {reader-as-user}', 'X-Api-Key: {reader}'),
    expect: { refused: 'credential_malformed' },
  },
  {
    name: 'Basic with two tokens',
    request: get('/api/stock', 'Authorization: Basic {reader-twice}'),
    expect: { refused: 'credential_malformed' },
  },
  { name: 'a query', request: get('/api/stock?token={reader}'), expect: missing },
]
