import type { Latchkey, TokenRecord } from 'latchkey'

/** The token that the first start creates. Its text is known only then; later starts have only the record. */
export type First = { readonly token?: string; readonly record: TokenRecord }

const NAME = 'Warehouse scanner'

/** Creates a token if the file is new. Later only its record is available, because its text is shown once. */
export async function firstToken(tokens: Latchkey<'inventory:read' | 'inventory:write'>): Promise<First> {
  const { items } = await tokens.system.list({ name: NAME, status: 'active', limit: 1 })
  const [record] = items
  return record === undefined ? tokens.system.create({ name: NAME, scopes: ['inventory:read'] }) : { record }
}

/** Prints commands to paste, each with its expected result. */
export function printTour(tour: { origin: string; file: string; adminKey: string; first: First }): void {
  const { origin, file, adminKey, first } = tour
  const { record, token } = first
  const post = `curl -s -X POST -H 'content-type: application/json' -H 'x-admin-key: ${adminKey}'`
  const call = `curl -s -w ' → %{http_code}\\n'`
  const opening =
    token === undefined
      ? [
          `The tokens from the previous run are still in ${file}; "${record.name}" is ${record.hint}`,
          'Its text was shown when it was created, and is not stored. Insert it here, or create another:',
          '',
          `TOKEN=${record.hint}`,
          `${post} -d '{"name":"Another scanner","scopes":["inventory:read"]}' ${origin}/admin/tokens   # → 201, with its token`,
        ]
      : [`A token for "${record.name}", shown only once (${file} keeps a digest of it):`, '', `TOKEN=${token}`]
  console.log(`
latchkey on Express: ${origin}. Paste these into another terminal.

${opening.join('\n')}

${call} -H "Authorization: Bearer $TOKEN" ${origin}/api/stock      # → 200, the token may read
${call} ${origin}/api/stock                                        # → 401, no token
${call} -X PUT -H "Authorization: Bearer $TOKEN" -H 'content-type: application/json' -d '{"count":5}' ${origin}/api/stock/bolts   # → 403, it is read-only

# Rotate: the response contains a new token. Both tokens work for an hour.
${post} -d '{"overlap":3600}' ${origin}/admin/tokens/${record.id}/rotate
${call} -H "Authorization: Bearer $TOKEN" ${origin}/api/stock      # → 200, the old token still works

# Revoke the old token: it stops working immediately and for good. The new one keeps working.
${post} -d '{"reason":"lost scanner"}' ${origin}/admin/tokens/${record.id}/revoke
${call} -H "Authorization: Bearer $TOKEN" ${origin}/api/stock      # → 401

# Or do all of this in a browser: create, watch, rotate and revoke.
${origin}/sign-in?key=${adminKey}

Ctrl-C stops. The tokens stay in ${file}.`)
}
