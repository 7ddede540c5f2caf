import { bearer, each, get, request, type Vector } from '../vector.js'

const key = (value: string): string => get('/api/whoami', `X-Api-Key: ${value}`)
const forwarded = (value: string, name: string): string => get('/api/whoami', `X-Forwarded-For: ${value}`, bearer(name))

/** With `optional`: a request without a credential is anonymous, but a presented credential must be valid. */
export const optionalVectors: readonly Vector[] = [
  { name: 'no token', request: get('/api/whoami'), expect: { ran: 'whoami' } },
  { name: 'another scheme', request: get('/api/whoami', 'Authorization: Basic YTpi'), expect: { ran: 'whoami' } },
  { name: 'a valid token', request: get('/api/whoami', bearer('reader')), expect: { ran: 'whoami', as: 'reader' } },
  ...each(['', 'Bearer', 'Bearer a b', 'Bearer {reader}, x'], (value) => get('/api/whoami', `Authorization: ${value}`), {
    refused: 'credential_malformed',
  }),
  { name: 'two headers', request: get('/api/whoami', bearer('reader'), bearer('reader')), expect: { refused: 'credential_malformed' } },
  { name: 'an unknown token', request: get('/api/whoami', bearer('unknown')), expect: { refused: 'token_invalid' } },
  { name: 'a revoked token', request: get('/api/whoami', bearer('revoked')), expect: { refused: 'token_revoked' } },
  { name: 'an expired token', request: get('/api/whoami', bearer('expired')), expect: { refused: 'token_expired' } },
  { name: 'a token limited to another address', request: get('/api/whoami', bearer('remote')), expect: { refused: 'ip_denied' } },
  {
    name: 'an outage',
    request: get('/api/whoami', 'Authorization: Bearer fault-rejects-undefined'),
    expect: { refused: 'store_unavailable' },
  },
  { name: 'no token on a route that requires a scope', request: get('/api/stock'), expect: { refused: 'credential_missing' } },
  {
    name: 'no token on a route that requires either of two scopes',
    request: get('/api/either'),
    expect: { refused: 'credential_missing' },
  },
  { name: 'no token on a route that requires a resource', request: get('/api/warehouses/w1'), expect: { refused: 'credential_missing' } },
  {
    name: 'a valid token on a route that requires a scope',
    request: get('/api/stock', bearer('reader')),
    expect: { ran: 'stock', as: 'reader' },
  },
  {
    name: 'insufficient scope',
    request: get('/api/stock', bearer('nothing')),
    expect: { refused: 'scope_insufficient', scope: 'inventory:read' },
  },
  { name: 'an identity claimed in a header', request: get('/api/stock', 'X-User-Id: admin'), expect: { refused: 'credential_missing' } },
]

/** With `credential: { header: 'x-api-key' }`. */
export const apiKeyVectors: readonly Vector[] = [
  { name: 'no header', request: get('/api/whoami'), expect: { refused: 'credential_missing' } },
  ...each(
    ['X-Api-Key', 'x-api-key', 'X-API-KEY'],
    (name) => get('/api/whoami', `${name}: {reader}`),
    { ran: 'whoami', as: 'reader' },
    'field name ',
  ),
  {
    name: 'white space around the value',
    request: get('/api/whoami', 'X-Api-Key: \t {reader} \t'),
    expect: { ran: 'whoami', as: 'reader' },
  },
  ...each(
    [
      '',
      ' ',
      '{reader} {reader}',
      'Bearer {reader}',
      '{reader},',
      '{reader}, {reader}',
      '"{reader}"',
      '{reader};',
      '{reader}\xa0',
      '\xe9',
      '{reader}\ttail',
      '=',
    ],
    key,
    { refused: 'credential_malformed' },
    'grammar ',
  ),
  {
    name: 'the header twice, the same value',
    request: get('/api/whoami', 'X-Api-Key: {reader}', 'X-Api-Key: {reader}'),
    expect: { refused: 'credential_malformed' },
  },
  {
    name: 'the header twice, two tokens',
    request: get('/api/whoami', 'X-Api-Key: {reader}', 'x-api-key: {writer}'),
    expect: { refused: 'credential_malformed' },
  },
  {
    name: 'the header twice, one empty',
    request: get('/api/whoami', 'X-Api-Key:', 'X-Api-Key: {reader}'),
    expect: { refused: 'credential_malformed' },
  },
  { name: '9 KB', request: key('x'.repeat(9000)), expect: { refused: 'credential_malformed' } },
  {
    name: 'a token in Authorization does not count',
    request: get('/api/whoami', bearer('reader')),
    expect: { refused: 'credential_missing' },
  },
  {
    name: 'an Authorization field alongside the custom header does not matter',
    request: get('/api/whoami', 'Authorization: Basic YTpi', 'X-Api-Key: {reader}'),
    expect: { ran: 'whoami', as: 'reader' },
  },
  ...each(['unknown', 'wrong-secret', 'bad-checksum', 'other-prefix', 'cut-short'], (name) => key(`{${name}}`), {
    refused: 'token_invalid',
  }),
  { name: 'revoked', request: key('{revoked}'), expect: { refused: 'token_revoked' } },
  { name: 'expired', request: key('{expired}'), expect: { refused: 'token_expired' } },
  { name: 'limited to another address', request: key('{remote}'), expect: { refused: 'ip_denied' } },
  {
    name: 'insufficient scope',
    request: request('POST /api/stock', 'X-Api-Key: {reader}'),
    expect: { refused: 'scope_insufficient', scope: 'inventory:write' },
  },
  { name: 'an outage', request: key('fault-throws-null'), expect: { refused: 'store_unavailable' } },
  { name: 'a query', request: get('/api/whoami?x-api-key={reader}'), expect: { refused: 'credential_missing' } },
]

/** With a custom realm or a custom error body. */
export const presentationVectors: readonly Vector[] = [
  { name: 'no token', request: get('/api/whoami'), expect: { refused: 'credential_missing' } },
  { name: 'grammar', request: get('/api/whoami', 'Authorization: Bearer'), expect: { refused: 'credential_malformed' } },
  { name: 'unknown', request: get('/api/whoami', bearer('unknown')), expect: { refused: 'token_invalid' } },
  { name: 'revoked', request: get('/api/whoami', bearer('revoked')), expect: { refused: 'token_revoked' } },
  {
    name: 'insufficient scope',
    request: get('/api/stock', bearer('nothing')),
    expect: { refused: 'scope_insufficient', scope: 'inventory:read' },
  },
  {
    name: 'another resource',
    request: get('/api/warehouses/w2', bearer('w1')),
    expect: { refused: 'resource_denied', scope: 'inventory:read' },
  },
  { name: 'another address', request: get('/api/whoami', bearer('remote')), expect: { refused: 'ip_denied' } },
  { name: 'an outage', request: get('/api/whoami', 'Authorization: Bearer fault-rejects-route'), expect: { refused: 'store_unavailable' } },
  {
    name: 'too many',
    request: get('/api/whoami', 'Authorization: Bearer limited-30'),
    expect: { refused: 'rate_limited', retryAfter: '30' },
  },
  { name: 'a valid token', request: get('/api/whoami', bearer('reader')), expect: { ran: 'whoami', as: 'reader' } },
]

/** With the framework's trust-proxy setting on. */
export const proxiedVectors: readonly Vector[] = [
  {
    name: 'the address that the proxy reports is the client’s',
    request: forwarded('203.0.113.7', 'remote'),
    expect: { ran: 'whoami', as: 'remote' },
  },
  { name: 'IPv4-mapped IPv6 equals IPv4', request: forwarded('::ffff:203.0.113.7', 'remote'), expect: { ran: 'whoami', as: 'remote' } },
  { name: 'an address other than the proxy’s own', request: forwarded('203.0.113.8', 'local'), expect: { refused: 'ip_denied' } },
  { name: 'text that is not an address', request: forwarded('unknown', 'remote'), expect: { refused: 'ip_denied' } },
  { name: 'no forwarding header', request: get('/api/whoami', bearer('local')), expect: { ran: 'whoami', as: 'local' } },
  { name: 'no limit on addresses', request: forwarded('unknown', 'reader'), expect: { ran: 'whoami', as: 'reader' } },
]
