import { bearer, each, get, request, type Vector } from '../vector.js'

const missing = { refused: 'credential_missing' } as const
const upgrade = ['Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='] as const

/** Every method, upgrades, and requests with bodies. */
export const methodVectors: readonly Vector[] = [
  ...each(
    ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    (method) => request(`${method} /api/whoami`),
    missing,
    'no token, ',
  ),
  ...each(
    ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    (method) => request(`${method} /api/whoami`, bearer('reader')),
    { ran: 'whoami', as: 'reader' },
    'a valid token, ',
  ),
  ...each(
    ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    (method) => request(`${method} /api/whoami`, bearer('revoked')),
    { refused: 'token_revoked' },
    'a revoked token, ',
  ),
  ...each(['HEAD', 'POST', 'DELETE', 'OPTIONS'], (method) => request(`${method} /api/late`), missing, 'no token, a route added later, '),
  ...each(
    ['PROPFIND', 'TRACE', 'PURGE', 'MKCOL', 'QUERY', 'LINK', 'get', 'Get', 'FOO', 'CONNECT'],
    (method) => request(`${method} /api/whoami`),
    { closed: true },
    'an unusual method, ',
  ),
  { name: 'HEAD on a route for GET, no token', request: request('HEAD /api/stock'), expect: missing },
  {
    name: 'HEAD on a route for GET, valid token',
    request: request('HEAD /api/stock', bearer('reader')),
    expect: { ran: 'stock', as: 'reader' },
  },
  {
    name: 'HEAD on a route for GET, insufficient scope',
    request: request('HEAD /api/stock', bearer('nothing')),
    expect: { refused: 'scope_insufficient', scope: 'inventory:read' },
  },
  { name: 'OPTIONS on a route for GET, valid token', request: request('OPTIONS /api/stock', bearer('reader')), expect: { closed: true } },
  {
    name: 'a preflight without a token',
    request: request(
      'OPTIONS /api/whoami',
      'Origin: https://a.test',
      'Access-Control-Request-Method: GET',
      'Access-Control-Request-Headers: authorization',
    ),
    expect: missing,
  },
  { name: 'an unguarded route without a token', request: get('/open'), expect: { ran: 'open' } },
  { name: 'an unguarded route with a token has no principal', request: get('/open', bearer('reader')), expect: { ran: 'open' } },
  { name: 'an unguarded route with an invalid credential', request: get('/open', 'Authorization: Bearer x y'), expect: { ran: 'open' } },
  {
    name: 'an upgrade without a token',
    request: `GET /api/whoami HTTP/1.1\r\nHost: contract.test\r\nConnection: close, Upgrade\r\n${upgrade.join('\r\n')}\r\n\r\n`,
    expect: missing,
  },
  {
    name: 'an upgrade with a revoked token',
    request: `GET /api/whoami HTTP/1.1\r\nHost: contract.test\r\nConnection: close, Upgrade\r\n${upgrade.join('\r\n')}\r\n${bearer('revoked')}\r\n\r\n`,
    expect: { refused: 'token_revoked' },
  },
  {
    name: 'an upgrade to h2c without a token',
    request: get('/api/whoami', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'),
    expect: missing,
  },
  {
    name: 'Expect: 100-continue without a token',
    request: request('POST /api/stock', 'Expect: 100-continue', 'Content-Length: 5'),
    expect: missing,
  },
  {
    name: 'Expect: 100-continue with insufficient scope',
    request: request('POST /api/stock', 'Expect: 100-continue', 'Content-Length: 5', bearer('reader')),
    expect: { refused: 'scope_insufficient', scope: 'inventory:write' },
  },
  { name: 'a body that never arrives, without a token', request: request('POST /api/stock', 'Content-Length: 100000'), expect: missing },
  {
    name: 'a chunked body that never ends, without a token',
    request: `${request('POST /api/stock', 'Transfer-Encoding: chunked')}5\r\nhello\r\n`,
    expect: missing,
  },
  {
    name: 'a body with a valid token',
    request: `${request('POST /api/stock', 'Content-Type: application/json', 'Content-Length: 2', bearer('writer'))}{}`,
    expect: { ran: 'change', as: 'writer' },
  },
  { name: 'HTTP/1.0 without a token', request: 'GET /api/whoami HTTP/1.0\r\nHost: contract.test\r\n\r\n', expect: missing },
  {
    name: 'HTTP/1.0 with a valid token',
    request: `GET /api/whoami HTTP/1.0\r\nHost: contract.test\r\n${bearer('reader')}\r\n\r\n`,
    expect: { ran: 'whoami', as: 'reader' },
  },
  { name: 'no Host', request: 'GET /api/whoami HTTP/1.1\r\nConnection: close\r\n\r\n', expect: { closed: true } },
]
