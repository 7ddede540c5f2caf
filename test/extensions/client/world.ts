import { type Latchkey, latchkey } from 'latchkey'
import { type Client, type ClientError, type ClientOptions, type ClientState, createClient, type Fetch } from 'latchkey/client'
import { memoryStore } from 'latchkey/stores/memory'
import { authenticate, management } from 'latchkey/web'
import { vi } from 'vitest'

export const ORIGIN = 'https://api.test'
export const MANAGE: string = `${ORIGIN}/admin/tokens`

// Captured before a test replaces it.
const monotonic = performance.now.bind(performance)

/** Intercepts a request between client and server: it can answer the request itself or drop the response. */
export type Between = (request: Request, next: () => Promise<Response>) => Promise<Response> | Response

/** Options of the holder's token. */
type Terms = {
  readonly expiresAt?: Date
  readonly rotateEvery?: number
  readonly scopes?: readonly ('inventory:read' | 'tokens:rotate-self')[]
}

/** A request that reached the server. */
type Received = { readonly route: string; readonly token: string; readonly headers: Headers }

/** A server and its holders in one process, with a clock controlled by tests. */
export type World = {
  readonly tokens: Latchkey<'inventory:read' | 'tokens:rotate-self'>
  readonly requests: readonly Received[]
  readonly fetch: Fetch
  /** Installs an interceptor between client and server, starting with the next request. */
  intercept(given: Between): void
  restore(): void
  now(): number
  advance(seconds: number): void
  mint(terms?: Terms): Promise<string>
  /** The requested routes in order. */
  routes(): readonly string[]
  /** The number of requests to a route. */
  count(route: string): number
  close(): Promise<void>
}

/** Creates a world. Only deadlines use real timers; move the clock with `advance`. */
export async function makeWorld(): Promise<World> {
  let ahead = 0
  // The server's own wall clock, because tests may set the holder's clock wrong.
  const wall = Date.now
  const clock = (): number => wall() + ahead
  const tokens = latchkey({
    prefix: 'acme_live',
    store: memoryStore(),
    scopes: { 'inventory:read': 'See stock', 'tokens:rotate-self': 'Replace itself with a successor' },
    clock,
  })
  const manage = management(tokens, { mountPath: '/admin/tokens', actor: () => undefined })
  const requests: Received[] = []
  let between: Between = (_, next) => next()

  async function answer(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url)
    if (pathname.startsWith('/admin/tokens/')) return manage(request)
    const { response, principal } = await authenticate(tokens, request)
    if (response !== undefined) return response
    return Response.json({ caller: principal?.tokenId, body: await request.text() })
  }

  const send: Fetch = async (input, init) => {
    const request = new Request(input, init)
    const { pathname } = new URL(request.url)
    const token = request.headers.get('authorization')?.replace('Bearer ', '') ?? ''
    requests.push({ route: `${request.method} ${pathname.replace('/admin/tokens', '')}`, token, headers: request.headers })
    const response = await between(request, () => answer(request))
    if (!response.headers.has('date')) response.headers.set('date', new Date(clock()).toUTCString())
    return response
  }

  vi.spyOn(performance, 'now').mockImplementation(() => monotonic() + ahead)

  return {
    tokens,
    requests,
    fetch: send,
    intercept(given: Between): void {
      between = given
    },
    restore(): void {
      between = (_, next) => next()
    },
    now: clock,
    async close(): Promise<void> {
      vi.restoreAllMocks()
      await tokens.close()
    },
    advance(seconds: number): void {
      ahead += seconds * 1000
    },
    async mint(terms: Terms = {}): Promise<string> {
      const { scopes = ['inventory:read', 'tokens:rotate-self'], ...rest } = terms
      return (await tokens.system.create({ name: 'holder', scopes, ...rest })).token
    },
    routes: (): readonly string[] => requests.map(({ route }) => route),
    count: (route: string): number => requests.filter((request) => request.route === route).length,
  }
}

/** Storage as hosts write it. It records what was saved. */
export type Shelf = {
  readonly saves: readonly ClientState[]
  readonly kept: ClientState | undefined
  /** The stored token; empty if there is none. */
  readonly token: string
  put(state: ClientState): void
  load(): ClientState | undefined
  save(state: ClientState): void
}

/** Creates storage, with or without a token in it. */
export function shelf(first?: string): Shelf {
  let kept: ClientState | undefined = first === undefined ? undefined : { token: first }
  const saves: ClientState[] = []
  return {
    saves,
    get kept(): ClientState | undefined {
      return kept
    },
    get token(): string {
      return kept?.token ?? ''
    },
    put(state: ClientState): void {
      kept = state
    },
    load: (): ClientState | undefined => kept,
    save: (state: ClientState): void => {
      saves.push(state)
      kept = state
    },
  }
}

/** Creates a client on this storage and collects the errors that it reports. */
export function holder(
  world: World,
  { load, save }: Shelf,
  options: Partial<ClientOptions> = {},
): { client: Client; errors: ClientError[] } {
  const errors: ClientError[] = []
  const client = createClient({ manage: MANAGE, fetch: world.fetch, onError: (error) => errors.push(error), load, save, ...options })
  return { client, errors }
}

/** Calls the API and returns the status and the ID of the accepted token. */
export async function call(client: Client, path = '/stock', init?: RequestInit): Promise<{ status: number; caller: string }> {
  const response = await client.fetch(`${ORIGIN}${path}`, init)
  const { caller = '' } = (await response.json()) as { caller?: string }
  return { status: response.status, caller }
}

/** Extracts the ID from a token. */
export const idOf = (token: string): string => token.split('_').at(-2) ?? ''
