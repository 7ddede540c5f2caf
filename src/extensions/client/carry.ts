import { ClientError } from './client-error.js'
import type { Keeper } from './keeper.js'
import type { Fetch, Settings } from './options.js'

/** As many as the Fetch standard follows. */
const MAX_REDIRECTS = 20
const REDIRECTS = [301, 302, 303, 307, 308]

/** A request of the caller's. */
type Asked = { readonly input: string | URL | Request; readonly url: URL; readonly method: string; readonly init: RequestInit }

/** Makes the `fetch` that carries the token. */
export function createFetch(settings: Settings, keeper: Keeper): Fetch {
  return async function fetch(input, init) {
    const asked = read(input, init)
    const { origin } = asked.url
    if (!settings.origins.has(origin))
      throw new ClientError('invalid_input', `${origin} does not get the token: see the option \`origins\``)
    const token = await keeper.current()
    const { response, left } = await send(settings, asked, token)
    if (response.status !== 401 || left) return response
    const successor = await keeper.successorOf(token)
    if (successor === undefined || !isRepeatable(asked)) return response
    discard(response)
    return (await send(settings, asked, successor)).response
  }
}

function read(input: string | URL | Request, init: RequestInit | undefined): Asked {
  const request = typeof input === 'object' && !(input instanceof URL) ? input : undefined
  // What a redirected request takes over: a `Request` can be sent to its own address only.
  const own = request && { method: request.method, headers: request.headers, redirect: request.redirect, signal: request.signal }
  const given = { ...own, ...init }
  return { input, url: new URL(request?.url ?? String(input)), method: (given.method ?? 'GET').toUpperCase(), init: given }
}

/**
 * Sends a request, and follows redirects of GET and HEAD. `left`: the answer is from a place that does not get the token.
 *
 * The platform could follow them too, but some send the header on to wherever a redirect points.
 */
async function send({ fetch, origins }: Settings, asked: Asked, token: string): Promise<{ response: Response; left: boolean }> {
  const { url, method, init } = asked
  const headers = new Headers(init.headers)
  headers.set('authorization', `Bearer ${token}`)
  let target = asked.input
  let at = url
  for (let hops = 0; ; hops += 1) {
    const response = await fetch(target, { ...init, headers, redirect: 'manual' })
    // Browsers do not say where a redirect points unless they follow it themselves.
    const redirected = response.type === 'opaqueredirect' || (REDIRECTS.includes(response.status) && response.headers.has('location'))
    if (!redirected || init.redirect === 'manual' || !(method === 'GET' || method === 'HEAD')) return { response, left: false }
    if (init.redirect === 'error' || response.type === 'opaqueredirect' || hops === MAX_REDIRECTS) {
      throw new TypeError(`${at.origin} answered with a redirect that is not followed`)
    }
    discard(response)
    at = new URL(response.headers.get('location') ?? '', at)
    target = at
    if (origins.has(at.origin)) continue
    // It does not come back with the token either: the other place would choose what is asked for in the holder's name.
    for (const name of ['authorization', 'cookie', 'proxy-authorization']) headers.delete(name)
    return { response: await fetch(at, { ...init, headers, redirect: 'follow' }), left: true }
  }
}

function discard({ body }: Response): void {
  body?.cancel().catch(() => undefined)
}

/** Can it be sent again? A stream is used up by the first time, and so is the body of a `Request`. */
function isRepeatable({ input, method, init: { body } }: Asked): boolean {
  if (typeof body === 'object' && body !== null) return !('getReader' in body || Symbol.asyncIterator in body)
  // Not every platform tells whether a Request has a body.
  return typeof input === 'string' || input instanceof URL || method === 'GET' || method === 'HEAD' || input.body === null
}
