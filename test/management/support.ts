import { type Actor, type Latchkey, type LatchkeyOptions, latchkey, type Principal } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { createManagement, type ManagementOptions } from '../../src/management/index.js'

export const MOUNT = '/admin/tokens'
export const ORIGIN = 'http://host.test'

export const superadmin: Actor = { id: 'root', tenants: '*', manages: 'all' }
export const admin: Actor = { id: 'ada', tenants: ['acme'], manages: 'all' }
export const partner: Actor = { id: 'pat', tenants: ['acme', 'bolt'], manages: 'all' }
export const user: Actor = { id: 'uma', tenants: ['acme'], manages: 'own' }

const SCOPES = {
  'inventory:read': 'See stock',
  'inventory:write': 'Change stock',
  'billing:read': 'See invoices',
  'tokens:rotate-self': 'Replace itself with a successor',
} as const

/** One request. */
export type Ask = {
  readonly actor?: unknown
  readonly principal?: Principal
  readonly ip?: string
  readonly body?: unknown
  /** Sent unchanged instead of `body`. */
  readonly raw?: string | Uint8Array | ReadableStream<Uint8Array>
  readonly parsedBody?: unknown
  readonly headers?: { readonly [name: string]: string }
  readonly mount?: string
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of any shape
export type Answered = { readonly status: number; readonly headers: Headers; readonly text: string; readonly body: any }

export type Harness = {
  readonly tokens: Latchkey<keyof typeof SCOPES>
  readonly store: ReturnType<typeof memoryStore>
  call(method: string, path: string, ask?: Ask): Promise<Answered>
  /** Creates a token through the API and returns its text and ID. */
  create(actor: Actor, body?: object): Promise<{ readonly token: string; readonly id: string }>
}

/** Creates an instance on a memory store with its API. */
export function harness(
  options: Partial<LatchkeyOptions<keyof typeof SCOPES>> = {},
  management: ManagementOptions = {},
  store: ReturnType<typeof memoryStore> = memoryStore(),
): Harness {
  const tokens = latchkey({ prefix: 'acme_live', store, scopes: SCOPES, groups: { staff: ['inventory:read', 'billing:read'] }, ...options })
  const api = createManagement(tokens, management)
  const call = async (method: string, path: string, ask: Ask = {}): Promise<Answered> => {
    const { mount = MOUNT, actor, principal, ip, parsedBody } = ask
    const body = ask.raw ?? (ask.body === undefined ? undefined : JSON.stringify(ask.body))
    const headers = new Headers(ask.headers)
    const bare = method === 'GET' || method === 'HEAD' || headers.has('content-type') || headers.has('x-requested-with')
    if (!bare) headers.set('content-type', 'application/json')
    const request = new Request(`${ORIGIN}${mount}${path}`, {
      method,
      headers,
      ...(body !== undefined && { body, duplex: 'half' }),
    } as RequestInit)
    const response = await api.fetch(request, { actor, principal, ip, parsedBody }, mount)
    const text = await response.text()
    return { status: response.status, headers: response.headers, text, body: text.startsWith('{') ? JSON.parse(text) : undefined }
  }
  const create = async (actor: Actor, body: object = {}): Promise<{ token: string; id: string }> => {
    const tenantId = actor.tenants === '*' ? undefined : actor.tenants[0]
    const answer = await call('POST', '/', { actor, body: { name: 'made', tenantId, scopes: ['inventory:read'], ...body } })
    if (answer.status !== 201) throw new Error(`create answered ${answer.status}: ${answer.text}`)
    return { token: answer.body.token, id: answer.body.record.id }
  }
  return { tokens, store, call, create }
}

/** Returns headers that present a token. */
export const bearer = (token: string): { readonly authorization: string } => ({ authorization: `Bearer ${token}` })
