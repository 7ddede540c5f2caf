import type { ForeignPrincipal, Session } from '../../src/http/host-principal.js'
import type { HttpSite } from './types.js'

const answers: { readonly [id: string]: () => unknown } = {
  clerk: () => ({ id: 'clerk', scopes: ['inventory:read'] }),
  chief: async () => ({ id: 'chief', tenantId: 't1', scopes: '*' }),
  grouped: () => ({ id: 'grouped', scopes: ['@finance', 'inventory:*'] }),
  nobody: () => ({ id: 'nobody', scopes: [] }),
  storeman: () => ({ id: 'storeman', scopes: ['inventory:read'], resources: { warehouse: ['w1'] } }),
  throws: () => {
    throw undefined
  },
  rejects: () => Promise.reject('route'),
  half: () => ({ id: 'half' }),
  'lost-tenant': () => ({ id: 'lost', tenantId: undefined, tokenId: 'lost', scopes: '*' }),
  'lost-scopes': () => ({ id: 'lost', scopes: undefined }),
  text: () => 'chief',
  'odd-resources': () => ({ id: 'odd', scopes: '*', resources: { warehouse: 'w1' } }),
}

const bearers: { readonly [credential: string]: () => unknown } = {
  'legacy-1': async () => ({ tokenId: 'legacy-1', scopes: ['inventory:read'] }),
  throws: () => {
    throw new Error('legacy')
  },
  rejects: () => Promise.reject(undefined),
  half: () => ({ tokenId: 'half' }),
  'lost-tenant': () => ({ tokenId: 'lost', tenantId: undefined, scopes: ['inventory:read'] }),
}

/** Options of a host with sessions and foreign bearer tokens. */
export const hosted: HttpSite['options'] = {
  credential: ['bearer', { header: 'x-api-key' }, 'basic'],
  session: (request) => answers[/sid=([a-z-]+)/.exec(cookieOf(request))?.[1] ?? '']?.() as Session | undefined,
  foreign: (credential) =>
    (/^[^.-]*acme/i.test(credential) || credential.endsWith('_')
      ? { tokenId: 'stolen', scopes: ['inventory:read'] }
      : bearers[credential]?.()) as ForeignPrincipal | undefined,
}

// Each framework keeps header fields in a different place.
function cookieOf(request: unknown): string {
  const { headers, raw, req } = Object(request) as { headers?: unknown; raw?: { headers?: unknown }; req?: { raw?: { headers?: unknown } } }
  for (const fields of [headers, raw?.headers, req?.raw?.headers]) {
    if (fields instanceof Headers) return fields.get('cookie') ?? ''
    if (typeof fields === 'object' && fields !== null && 'cookie' in fields) return String(fields.cookie)
  }
  return ''
}
