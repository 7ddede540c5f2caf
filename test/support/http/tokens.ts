import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type CreateInput, type Latchkey, latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { decidedBy } from '../decided-by.js'

/** An instance on the memory store, with a token that has a read scope. */
export type Kit = {
  readonly tokens: Latchkey
  readonly token: string
  readonly id: string
  create(input?: Partial<CreateInput>): Promise<{ readonly token: string; readonly id: string }>
  /** The same instance, but every decision fails. */
  readonly outage: Latchkey
}

export async function kit(): Promise<Kit> {
  const scopes = { 'a:read': 'Read', 'a:write': 'Write' }
  // A busy machine may take longer than usual.
  const tokens: Latchkey = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes, deadline: '30s' })
  const create: Kit['create'] = async (input) => {
    const given = { name: 'made', scopes: ['a:read'], ...input } as CreateInput
    const { token = '', record } = await tokens.system.create(given)
    return { token, id: record.id }
  }
  return { tokens, ...(await create()), create, outage: decidedBy(tokens, () => Promise.reject(undefined)) }
}

/** Headers that present a token. */
export const bearer = (token: string): { readonly headers: Record<string, string> } => ({ headers: { authorization: `Bearer ${token}` } })

/** Serves a listener on a free port while `run` runs. */
export async function served<T>(listener: RequestListener, run: (origin: string) => Promise<T>): Promise<T> {
  const server = createServer(listener).listen(0)
  await once(server, 'listening')
  try {
    return await run(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  } finally {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
}

/** The endpoints counted for a token, once all `expected` uses have been recorded. */
export async function endpointsOf(tokens: Latchkey, id: string, expected: number): Promise<readonly string[]> {
  for (let turn = 0; ; turn += 1) {
    const report = await tokens.system.usage(id)
    if (report.total + report.refused >= expected || turn > 500)
      return report.buckets.map(({ endpoint, outcome }) => `${endpoint} ${outcome}`).sort()
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
