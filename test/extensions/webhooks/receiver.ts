import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Webhook } from 'standardwebhooks'
import { onTestFinished } from 'vitest'

/** One received request. */
export type Delivered = {
  readonly id: string
  readonly headers: Record<string, string>
  readonly body: string
  readonly path: string
}

type Answer = (request: Delivered, response: ServerResponse, turn: number) => unknown

type Receiver = {
  readonly url: string
  readonly port: number
  readonly seen: readonly Delivered[]
  ids(): readonly string[]
  behave(next: Answer): void
}

/** Starts a real server on its own port that records requests and responds as configured, with 204 by default. */
export async function receiver(answer?: Answer): Promise<Receiver> {
  const seen: Delivered[] = []
  let behave: Answer = answer ?? ((_, response) => response.writeHead(204).end())
  const server = createServer(async (request: IncomingMessage, response) => {
    let body = ''
    for await (const piece of request.setEncoding('utf8')) body += piece
    const headers = request.headers as Record<string, string>
    const delivered = { id: headers['webhook-id'] ?? '', headers, body, path: request.url ?? '' }
    seen.push(delivered)
    behave(delivered, response, seen.length)
  })
  server.on('error', () => undefined)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/hooks`,
    port,
    seen,
    ids: () => seen.map(({ id }) => id),
    behave: (next: Answer) => {
      behave = next
    },
  }
}

/** Starts a receiver that takes a moment for each response and records how many requests it handled concurrently. */
export async function slowReceiver(): Promise<Receiver & { mostAtOnce(): number }> {
  let [busy, most] = [0, 0]
  const server = await receiver(async (_, response) => {
    busy += 1
    most = Math.max(most, busy)
    await new Promise((resolve) => setTimeout(resolve, 2))
    busy -= 1
    response.writeHead(204).end()
  })
  return { ...server, mostAtOnce: () => most }
}

/** Verifies a request with the reference library, which throws if it is invalid. */
export function verified(secret: string, { body, headers }: Delivered): unknown {
  return new Webhook(secret).verify(body, headers)
}
