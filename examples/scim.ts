// A person leaves: the identity provider sends SCIM `active: false`, and the same request revokes all of their tokens.
// Run it with `npx tsx examples/scim.ts`.
import { latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { authenticate, requireScopes } from 'latchkey/web'
import { type Change, changeOf } from './support/scim.js'

const tokens = latchkey({
  prefix: 'acme_live',
  store: memoryStore(),
  scopes: { 'inventory:read': 'See stock', 'scim:write': 'Report who joined and who left' },
})
const mayProvision = requireScopes('scim:write')

/** PATCH, PUT and DELETE of /scim/v2/Users/:id. The provider authenticates with one of your tokens, which belongs to its tenant. */
async function provision(request: Request): Promise<Response> {
  const { principal, response } = await authenticate(tokens, request, { require: mayProvision, endpoint: '/scim/v2/Users/:id' })
  if (response) return response
  if (principal.tenantId === undefined) return new Response(null, { status: 403 })
  const change: Change = await changeOf(request)
  // A directory treats any 2xx as done, so an unsupported change must not look like success.
  if (change === 'unknown') return Response.json({ status: '501', detail: 'This change is not supported.' }, { status: 501 })
  if (change === 'leaves') {
    const ownerId = decodeURIComponent(new URL(request.url).pathname.split('/').at(-1) ?? '')
    const directory = tokens.as({ id: `directory:${principal.tokenId}`, tenants: [principal.tenantId], manages: 'all' })
    const { count } = await directory.ownerGone({ ownerId, tenantId: principal.tenantId, reason: 'deactivated by the directory' })
    console.log(`${ownerId} left, tokens revoked: ${count}`)
  }
  return new Response(null, { status: 204 })
}

const scopes = ['inventory:read'] as const
const ada = await tokens.system.create({ name: 'Laptop of Ada', tenantId: 'globex', ownerId: 'ada', scopes })
const bob = await tokens.system.create({ name: 'Laptop of Bob', tenantId: 'globex', ownerId: 'bob', scopes })
const provider = await tokens.system.create({ name: 'Directory', tenantId: 'globex', scopes: ['scim:write'] })

const breaking = await tokens.system.ownerGone({ ownerId: 'ada', tenantId: 'globex', dryRun: true })
console.log(`will be revoked: ${breaking.items.map(({ name }) => name).join(', ')}`)

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
