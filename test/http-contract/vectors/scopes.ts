import { resourceKinds } from '../routes.js'
import { bearer, type Expectation, get, request, type Vector } from '../vector.js'

/** Rows: the route, the scopes that its refusal names, the tokens that pass, and the tokens that do not. */
const SCOPES: readonly (readonly [route: string, line: string, scope: string, may: readonly string[], mayNot: readonly string[]])[] = [
  [
    'stock',
    'GET /api/stock',
    'inventory:read',
    ['reader', 'writer', 'branch', 'everything', 'w1', 'owned'],
    ['scribe', 'finance', 'nothing', 'clerk'],
  ],
  ['change', 'POST /api/stock', 'inventory:write', ['writer', 'scribe', 'branch', 'everything'], ['reader', 'finance', 'nothing', 'owned']],
  ['both', 'GET /api/both', 'inventory:read billing:read', ['everything'], ['reader', 'writer', 'finance', 'branch', 'nothing']],
  [
    'either',
    'GET /api/either',
    'inventory:write billing:read',
    ['writer', 'scribe', 'finance', 'branch', 'everything'],
    ['reader', 'nothing'],
  ],
  ['ghost', 'GET /api/ghost', 'ghost:scope', [], ['reader', 'everything', 'nothing']],
  ['ghost-any', 'GET /api/ghost-any', 'ghost:scope inventory:read', ['reader', 'everything'], ['finance', 'nothing']],
  ['nested-scoped', 'GET /api/nested/scoped/7', 'inventory:read', ['reader', 'everything'], ['finance', 'nothing']],
]

const RESOURCES: readonly (readonly [route: string, path: string, may: readonly string[], mayNot: readonly string[]])[] = [
  ['warehouse', '/api/warehouses/w1', ['reader', 'w1', 'w12', 'elsewhere', 'everything'], ['nowhere']],
  ['warehouse', '/api/warehouses/w2', ['reader', 'w12', 'elsewhere'], ['w1', 'nowhere']],
  ['warehouse', '/api/warehouses/w', ['reader'], ['w1', 'w12']],
  ['warehouse', '/api/warehouses/W1', ['reader'], ['w1', 'w12']],
  ['warehouse', '/api/warehouses/w1%20', ['reader'], ['w1', 'w12']],
  ['warehouse', '/api/warehouses/w1,w2', ['reader'], ['w1', 'w12']],
  ['warehouse', '/api/warehouses/__proto__', ['reader'], ['w1']],
  ['warehouse', '/api/warehouses/constructor', ['reader'], ['w1', 'nowhere']],
  ['fixed', '/api/fixed', ['reader', 'w1', 'w12', 'w1-north'], ['nowhere']],
  ['several', '/api/several', ['reader', 'w12'], ['w1', 'nowhere']],
  ['two-dimensions', '/api/zones/north/w1', ['reader', 'w1-north', 'w1', 'elsewhere'], ['nowhere']],
  ['two-dimensions', '/api/zones/south/w1', ['reader', 'w1'], ['w1-north', 'elsewhere']],
  ['two-dimensions', '/api/zones/north/w2', ['reader', 'elsewhere'], ['w1-north', 'w1']],
  ['any-resource', '/api/any/w1', ['reader', 'scribe-w1', 'w1'], ['nowhere']],
  ['any-resource', '/api/any/w2', ['reader'], ['scribe-w1', 'w1']],
]

/** The result of each kind of resource function for a token limited to w1 and for an unlimited one. */
const KINDS: { readonly [kind: string]: readonly [held: 'ran' | 'denied' | 'fault', unlimited: 'ran' | 'denied' | 'fault'] } = {
  w1: ['ran', 'ran'],
  list: ['ran', 'ran'],
  later: ['ran', 'ran'],
  'later-list': ['ran', 'ran'],
  w2: ['denied', 'ran'],
  both: ['denied', 'ran'],
  throws: ['fault', 'fault'],
  'throws-undefined': ['fault', 'fault'],
  rejects: ['fault', 'fault'],
  'rejects-undefined': ['fault', 'fault'],
  'rejects-route': ['fault', 'fault'],
}

const denied = { refused: 'resource_denied', scope: 'inventory:read' } as const

/** Which scopes and resources grant access to which routes. */
export const scopeVectors: readonly Vector[] = [
  ...SCOPES.flatMap(([route, line, scope, may, mayNot]) => [
    ...may.map(
      (name): Vector => ({ name: `${line} with ${name}`, request: request(line, bearer(name)), expect: { ran: route, as: name } }),
    ),
    ...mayNot.map(
      (name): Vector => ({
        name: `${line} with ${name}`,
        request: request(line, bearer(name)),
        expect: { refused: 'scope_insufficient', scope },
      }),
    ),
  ]),
  ...RESOURCES.flatMap(([route, path, may, mayNot]) => [
    ...may.map((name): Vector => ({ name: `${path} with ${name}`, request: get(path, bearer(name)), expect: { ran: route, as: name } })),
    ...mayNot.map(
      (name): Vector => ({
        name: `${path} with ${name}`,
        request: get(path, bearer(name)),
        expect: route === 'any-resource' ? { refused: 'resource_denied', scope: 'inventory:write inventory:read' } : denied,
      }),
    ),
  ]),
  ...resourceKinds
    .filter((kind) => kind !== 'hangs')
    .flatMap((kind) => {
      const [held, unlimited] = KINDS[kind] ?? ['denied', 'denied']
      const vector = (name: string, outcome: 'ran' | 'denied' | 'fault'): Vector => ({
        name: `a resource function of kind ${kind}, with ${name}`,
        request: get(`/api/resource/${kind}`, bearer(name)),
        expect: expectationOf(outcome, kind, name),
      })
      return [vector('w1', held), vector('reader', unlimited)]
    }),
  {
    name: 'a resource function that hangs',
    request: get('/api/resource/hangs', bearer('reader')),
    expect: { refused: 'store_unavailable' },
  },
  {
    name: 'no scope, whatever the resource function does',
    request: get('/api/resource/throws', bearer('nothing')),
    expect: { refused: 'scope_insufficient', scope: 'inventory:read' },
  },
  {
    name: 'requireScopes without authenticate, with a valid token',
    request: get('/bare', bearer('reader')),
    expect: { refused: 'misconfigured' },
  },
  { name: 'requireScopes without authenticate, without a token', request: get('/bare'), expect: { refused: 'misconfigured' } },
]

function expectationOf(outcome: 'ran' | 'denied' | 'fault', kind: string, name: string): Expectation {
  if (outcome === 'fault') return { refused: 'store_unavailable' }
  return outcome === 'ran' ? { ran: `resource-${kind}`, as: name } : denied
}
