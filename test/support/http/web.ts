import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { memoryStore } from 'latchkey/stores/memory'
import { authenticate, requireScopes } from 'latchkey/web'
import type { HttpHarness, HttpSite, SiteRoute } from '../../http-contract/types.js'

type Pattern = { readonly route: SiteRoute; readonly pattern: RegExp; readonly check: ReturnType<typeof requireScopes> | undefined }

/** The contract's routes on standard requests, behind a bridge from node:http. */
export function webHarness(name: string): HttpHarness {
  return {
    name,
    store: () => memoryStore(),
    async start(site) {
      const patterns = site.routes.map(compile)
      const server = createServer((incoming, outgoing) => void bridge(site, patterns, incoming, outgoing))
      server.listen(0)
      await once(server, 'listening')
      return {
        port: (server.address() as AddressInfo).port,
        close: () => {
          server.closeAllConnections()
          return new Promise((resolve) => server.close(resolve))
        },
      }
    },
  }
}

function compile(route: SiteRoute): Pattern {
  const pattern = new RegExp(`^${route.path.replace(/:(\w+)/g, '(?<$1>[^/]+)')}$`)
  const requirement = route.requirement((request: Request, parameter) => {
    const value = pattern.exec(new URL(request.url).pathname)?.groups?.[parameter]
    return value === undefined ? undefined : decodeURIComponent(value)
  })
  return { route, pattern, check: requirement === undefined ? undefined : requireScopes(...requirement) }
}

async function handle(site: HttpSite, patterns: readonly Pattern[], request: Request, ip: string | undefined): Promise<Response> {
  const method = request.method === 'HEAD' ? 'GET' : request.method
  const path = new URL(request.url).pathname
  const found = patterns.find(({ route, pattern }) => (route.method === 'ALL' || route.method === method) && pattern.test(path))
  if (!path.startsWith('/api/')) {
    if (found === undefined) return new Response('not found', { status: 404 })
    const refusal = await found.check?.(request)
    return refusal ?? json(await found.route.answer(() => undefined))
  }
  const outcome = await authenticate(site.tokens, request, {
    ...site.options,
    ip,
    ...(found !== undefined && { endpoint: found.route.path }),
    ...(found?.check !== undefined && { require: found.check }),
  })
  if (outcome.response !== undefined) return outcome.response
  return found === undefined ? new Response('not found', { status: 404 }) : json(await found.route.answer(() => outcome.principal))
}

async function bridge(site: HttpSite, patterns: readonly Pattern[], incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  try {
    const request = new Request(new URL(incoming.url ?? '/', 'http://contract.test'), { method: incoming.method ?? 'GET' })
    // Do not copy a `Headers` object: in Deno, a copy loses an empty field that precedes another one of the same name.
    const { headers } = request
    for (let index = 0; index + 1 < incoming.rawHeaders.length; index += 2) {
      headers.append(incoming.rawHeaders[index] ?? '', incoming.rawHeaders[index + 1] ?? '')
    }
    const forwarded = site.trustProxy ? headers.get('x-forwarded-for') : null
    const response = await handle(site, patterns, request, forwarded ?? incoming.socket.remoteAddress)
    outgoing.writeHead(response.status, Object.fromEntries(response.headers))
    outgoing.end(await response.text())
  } catch {
    outgoing.writeHead(400).end()
  }
}

function json(body: object): Response {
  return new Response(JSON.stringify(body), { headers: { 'content-type': 'application/json' } })
}
