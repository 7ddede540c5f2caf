// A person leaves: the identity provider sends SCIM `active: false`, and every token of theirs is dead in the same request.
// Run it with `npx tsx examples/scim.ts`.
import { latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { authenticate, requireScopes } from 'latchkey/web'

const tokens = latchkey({
  prefix: 'acme_live',
  store: memoryStore(),
  scopes: { 'inventory:read': 'See stock', 'scim:write': 'Tell who joined and who left' },
})
const mayProvision = requireScopes('scim:write')

/** Is this text, or the value of a SCIM attribute, false? Some providers send "False". */
const isFalse = (value: unknown): boolean => value === false || (typeof value === 'string' && value.toLowerCase() === 'false')

type Patch = { readonly Operations?: readonly { readonly op?: string; readonly path?: string; readonly value?: unknown }[] }

/** Does a PATCH of RFC 7644 §3.5.2 set `active` to false? `value` holds it under its own path, or among other attributes without one. */
function deactivates({ Operations = [] }: Patch): boolean {
  return Operations.some(({ op, path, value }) => {
    if (String(op).toLowerCase() !== 'replace') return false
    if (path !== undefined) return path.toLowerCase() === 'active' && isFalse(value)
    return typeof value === 'object' && value !== null && 'active' in value && isFalse(value.active)
  })
}

/** PATCH and DELETE of /scim/v2/Users/:id. The provider calls with a token of yours that belongs to its tenant. */
async function provision(request: Request): Promise<Response> {
  const { principal, response } = await authenticate(tokens, request, { require: mayProvision, endpoint: '/scim/v2/Users/:id' })
  if (response) return response
  if (principal.tenantId === undefined) return new Response(null, { status: 403 })
  const ownerId = decodeURIComponent(new URL(request.url).pathname.split('/').at(-1) ?? '')
  if (request.method === 'DELETE' || (request.method === 'PATCH' && deactivates((await request.json()) as Patch))) {
    const directory = tokens.as({ id: `token:${principal.tokenId}`, tenants: [principal.tenantId], manages: 'all' })
    const { count } = await directory.ownerGone({ ownerId, tenantId: principal.tenantId, reason: 'deactivated by the directory' })
    console.log(`${ownerId} left, tokens ended: ${count}`)
  }
  return new Response(null, { status: 204 })
}

const scopes = ['inventory:read'] as const
const ada = await tokens.system.create({ name: 'Laptop of Ada', tenantId: 'globex', ownerId: 'ada', scopes })
const bob = await tokens.system.create({ name: 'Laptop of Bob', tenantId: 'globex', ownerId: 'bob', scopes })
const provider = await tokens.system.create({ name: 'Directory', tenantId: 'globex', scopes: ['scim:write'] })

const breaking = await tokens.system.ownerGone({ ownerId: 'ada', tenantId: 'globex', dryRun: true })
console.log(`will end: ${breaking.items.map(({ name }) => name).join(', ')}`)

const patch = {
  schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
  Operations: [{ op: 'replace', path: 'active', value: false }],
}
const send = (token: string): Promise<Response> =>
  provision(
    new Request('http://localhost/scim/v2/Users/ada', {
      method: 'PATCH',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/scim+json' },
      body: JSON.stringify(patch),
    }),
  )
console.log(`by Bob: ${(await send(bob.token)).status}, by the directory: ${(await send(provider.token)).status}`)
const verdict = async (token: string): Promise<string> => {
  const answer = await tokens.verify(token)
  return answer.ok ? 'ok' : answer.code
}
console.log(`Ada: ${await verdict(ada.token)}, Bob: ${await verdict(bob.token)}`)
await tokens.close()
