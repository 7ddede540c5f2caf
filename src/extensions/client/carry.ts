import { ClientError } from './client-error.js'
import type { Keeper } from './keeper.js'
import type { Fetch, Settings } from './options.js'

/** The limit of the Fetch standard. */
const MAX_REDIRECTS = 20
const REDIRECTS = [301, 302, 303, 307, 308]

/** A request from the caller. */
type Asked = { readonly input: URL | Request; readonly url: URL; readonly method: string; readonly init: RequestInit }

/** Creates the `fetch` that sends the token. */
export function createFetch(settings: Settings, keeper: Keeper): Fetch {
  return async function fetch(input, init) {
    const asked = read(input, init)
    const { origin } = asked.url
    if (!settings.origins.has(origin))
      throw new ClientError('invalid_input', `the token is not sent to ${origin}: to allow it, add that origin to the \`origins\` option`)
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
  // A URL object may come from another realm.
  const request = typeof input === 'object' && 'url' in input ? input : undefined
  // The settings that a redirected request keeps. A `Request` object can only be sent to its own address.
  const own = request && { method: request.method, headers: request.headers, redirect: request.redirect, signal: request.signal }
  const given = { ...own, ...present(init) }
  const url = new URL(request?.url ?? String(input))
  // Copies the URL and the headers, because the caller could change them after the check, while the token is loading.
  const asked = { input: request ?? new URL(url), url, method: (given.method ?? 'GET').toUpperCase() }
  return { ...asked, init: { ...given, headers: new Headers(given.headers) } }
}

/** Web IDL §3.2.17: an undefined member is absent, and an inherited one is present. Therefore, `init` can be a `Request`. */
function present(init: RequestInit | undefined): RequestInit {
  const members: { [name: string]: unknown } = {}
  for (const name in init) {
    const value: unknown = Reflect.get(init, name)
    if (value !== undefined) members[name] = value
  }
  return members
}

/**
 * Sends a request and follows redirects of GET and HEAD. `left` means that the response is from an origin that must not receive the token.
 *
 * The platform could follow redirects too, but some platforms forward the header to any destination.
 */
async function send({ fetch, origins }: Settings, asked: Asked, token: string): Promise<{ response: Response; left: boolean }> {
  const { url, method, init } = asked
  const headers = new Headers(init.headers)
  headers.set('authorization', `Bearer ${token}`)
  let target = asked.input
  let at = url
  for (let hops = 0; ; hops += 1) {
    const response = await fetch(target, { ...init, headers, redirect: 'manual' })
    // Browsers do not reveal the destination of a redirect unless they follow it themselves.
    const redirected = response.type === 'opaqueredirect' || (REDIRECTS.includes(response.status) && response.headers.has('location'))
    if (!redirected || init.redirect === 'manual' || !(method === 'GET' || method === 'HEAD')) return { response, left: false }
    if (init.redirect === 'error' || response.type === 'opaqueredirect' || hops === MAX_REDIRECTS) {
      throw new TypeError(`${at.origin} responded with a redirect, which is not followed`)
    }
    discard(response)
    const to = response.headers.get('location') ?? ''
    // The platform's own error would quote the URL.
    if (!URL.canParse(to, at.href)) throw new TypeError('a redirect to an invalid URL is not followed')
    at = new URL(to, at)
    // Fetch §4.4: only to HTTP(S). Some platforms would open a file. The scheme is text from the server, so it is not quoted.
    if (at.protocol !== 'https:' && at.protocol !== 'http:') throw new TypeError('a redirect to a URL that is not http(s) is not followed')
    target = at
    if (origins.has(at.origin)) continue
    // If the other origin redirects back, the token is still not sent, because that origin would choose what is requested on the holder's behalf.
    for (const name of ['authorization', 'cookie', 'proxy-authorization']) headers.delete(name)
    return { response: await fetch(at, { ...init, headers, redirect: 'follow' }), left: true }
  }
}

function discard({ body }: Response): void {
  body?.cancel().catch(() => undefined)
}

/** Checks whether the request can be sent again. A stream and the body of a `Request` are consumed by the first attempt. */
function isRepeatable({ input, method, init: { body } }: Asked): boolean {
  if (typeof body === 'object' && body !== null) return !('getReader' in body || Symbol.asyncIterator in body)
  // Not every platform shows whether a Request has a body.
  return input instanceof URL || method === 'GET' || method === 'HEAD' || input.body === null
}
