import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A server on its own port that records the requests it receives. */
export type Place = { readonly origin: string; readonly got: readonly IncomingMessage[]; close(): Promise<void> }

/** Starts such a server. */
export async function place(listener: RequestListener): Promise<Place> {
  const got: IncomingMessage[] = []
  const server: Server = createServer((request, response) => {
    got.push(request)
    listener(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    got,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A well-formed token that was never issued. */
export const TOKEN: string = `acme_live_${'a'.repeat(16)}_${'b'.repeat(49)}`
