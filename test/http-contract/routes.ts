import type { ScopeArguments } from '../../src/http/requirement.js'
import type { Principal } from '../../src/model/principal.js'
import { pause } from '../../src/testing/pause.js'
import type { SiteRoute } from './types.js'

/** A record of the handlers that ran. */
export type Journal = {
  readonly entries: { readonly route: string; readonly guarded: boolean; readonly tokenId: string | undefined }[]
  held?: Promise<void>
}

type Require = <R>(find: (request: R, name: string) => string | readonly string[] | undefined) => ScopeArguments<R>

/** Resource functions with valid and invalid results. */
const RESOURCES: { readonly [kind: string]: () => unknown } = {
  w1: () => 'w1',
  list: () => ['w1'],
  later: () => pause(1).then(() => 'w1'),
  'later-list': async () => ['w1'],
  w2: () => 'w2',
  both: () => ['w1', 'w2'],
  undefined: () => undefined,
  null: () => null,
  number: () => 1,
  true: () => true,
  empty: () => '',
  'empty-list': () => [],
  'empty-member': () => ['w1', ''],
  mixed: () => ['w1', 1],
  object: () => ({ w1: true }),
  'later-undefined': async () => undefined,
  throws: () => {
    throw new Error('resource')
  },
  'throws-undefined': () => {
    throw undefined
  },
  rejects: () => Promise.reject(new Error('resource')),
  'rejects-undefined': () => Promise.reject(undefined),
  'rejects-route': () => Promise.reject('route'),
  hangs: () => new Promise(() => undefined),
}

/** The routes that every harness serves. */
export function contractRoutes(journal: Journal): readonly SiteRoute[] {
  const route = (name: string, method: SiteRoute['method'], path: string, require?: Require): SiteRoute => {
    const guarded = path.startsWith('/api/')
    return {
      method,
      path,
      guarded,
      nested: path.startsWith('/api/nested/'),
      requirement: (find) => require?.(find),
      async answer(principal) {
        const before = principal()
        journal.entries.push({ route: name, guarded, tokenId: before?.tokenId })
        if (name === 'slow') await journal.held
        else await pause(0)
        return { route: name, before: describe(before), principal: describe(principal()) }
      },
    }
  }
  return [
    route('open', 'ALL', '/open'),
    route('bare', 'GET', '/bare', () => ['inventory:read']),
    route('whoami', 'ALL', '/api/whoami'),
    route('slow', 'GET', '/api/slow'),
    route('stock', 'GET', '/api/stock', () => ['inventory:read']),
    route('change', 'POST', '/api/stock', () => ['inventory:write']),
    route('both', 'GET', '/api/both', () => ['inventory:read', 'billing:read']),
    route('either', 'GET', '/api/either', () => [{ any: ['inventory:write', 'billing:read'] }]),
    route('ghost', 'GET', '/api/ghost', () => ['ghost:scope']),
    route('ghost-any', 'GET', '/api/ghost-any', () => [{ any: ['ghost:scope', 'inventory:read'] }]),
    route('warehouse', 'GET', '/api/warehouses/:id', (find) => ['inventory:read', { warehouse: (req) => find(req, 'id') }]),
    route('fixed', 'GET', '/api/fixed', () => ['inventory:read', { warehouse: 'w1' }]),
    route('several', 'GET', '/api/several', () => ['inventory:read', { warehouse: ['w1', 'w2'] }]),
    route('two-dimensions', 'GET', '/api/zones/:zone/:id', (find) => [
      'inventory:read',
      { warehouse: (req) => find(req, 'id'), zone: (req) => find(req, 'zone') },
    ]),
    route('any-resource', 'GET', '/api/any/:id', (find) => [
      { any: ['inventory:write', 'inventory:read'] },
      { warehouse: (req) => find(req, 'id') },
    ]),
    ...Object.keys(RESOURCES).map((kind) =>
      route(`resource-${kind}`, 'GET', `/api/resource/${kind}`, () => [
        'inventory:read',
        // The wrong types are intentional.
        { warehouse: () => RESOURCES[kind]?.() as string },
      ]),
    ),
    route('nested', 'ALL', '/api/nested/stock'),
    route('nested-scoped', 'GET', '/api/nested/scoped/:id', () => ['inventory:read']),
    route('late', 'ALL', '/api/late'),
  ]
}

/** The kinds of `/api/resource/…`. */
export const resourceKinds: readonly string[] = Object.keys(RESOURCES)

function describe(principal: Principal | undefined): object | null {
  if (principal === undefined) return null
  const { tokenId, name, tenantId, scopes } = principal
  return { tokenId, name, scopes, ...(tenantId !== undefined && { tenantId }) }
}
