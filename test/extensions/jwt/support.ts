import { type Latchkey, latchkey, type Minted } from 'latchkey'
import type { Verifier } from 'latchkey/jwt'
import { exchange, generateSigningKey, jwks, type SigningKey, verifySigned } from 'latchkey/jwt'
import { memoryStore } from 'latchkey/stores/memory'

export const ISSUER = 'https://auth.example'
export const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange'
export const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

type Gateway = {
  readonly tokens: Latchkey<'inventory:read' | 'inventory:write'>
  readonly key: SigningKey
  ask(subject: string, more?: Record<string, string> | string[][]): Promise<Response>
  signed(subject: string, more?: Record<string, string>): Promise<string>
  service(more?: Partial<Parameters<typeof verifySigned>[0]>): Verifier
  create(more?: object): Promise<Minted>
  publish(request: Request): Promise<Response>
  fetches(): number
}

/** Creates a gateway that exchanges tokens, with helpers for a service behind it. */
export const createGateway = async (options: { clock?: () => number; key?: SigningKey; expiresIn?: number } = {}): Promise<Gateway> => {
  const { clock, expiresIn } = options
  const tokens = latchkey({
    prefix: 'acme_live',
    store: memoryStore(),
    scopes: { 'inventory:read': 'See stock', 'inventory:write': 'Change stock' },
    ...(clock !== undefined && { clock }),
  })
  const key = options.key ?? (await generateSigningKey())
  const buy = exchange(tokens, {
    issuer: ISSUER,
    audiences: ['stock', 'billing'],
    keys: [key],
    ...(clock !== undefined && { clock }),
    ...(expiresIn !== undefined && { expiresIn }),
  })
  const publish = jwks([key])
  const ask = (subject: string, more: Record<string, string> | string[][] = {}): Promise<Response> => {
    const form = new URLSearchParams({ grant_type: GRANT, subject_token: subject, subject_token_type: ACCESS_TOKEN, audience: 'stock' })
    for (const [name = '', value = ''] of Array.isArray(more) ? more : Object.entries(more)) {
      if (Array.isArray(more)) form.append(name, value)
      else form.set(name, value)
    }
    return buy(new Request(`${ISSUER}/token`, { method: 'POST', body: form }))
  }
  const signed = async (subject: string, more: Record<string, string> = {}): Promise<string> =>
    ((await (await ask(subject, more)).json()) as { access_token: string }).access_token
  let fetches = 0
  const service = (more: Partial<Parameters<typeof verifySigned>[0]> = {}) =>
    verifySigned({
      issuer: ISSUER,
      audience: 'stock',
      keys: { url: `${ISSUER}/.well-known/jwks.json` },
      fetch: async (url) => {
        fetches += 1
        return publish(new Request(url))
      },
      ...(clock !== undefined && { clock }),
      ...more,
    })
  const create = (more = {}) => tokens.system.create({ name: 'ERP', tenantId: 'acme', scopes: ['inventory:*'], ...more })
  return { tokens, key, ask, signed, service, create, publish, fetches: () => fetches }
}
