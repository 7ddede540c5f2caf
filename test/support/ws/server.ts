import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import type { Authenticator, Principal } from 'latchkey'
import { authenticateUpgrade, type UpgradeOptions } from 'latchkey/ws'
import { WebSocket, WebSocketServer } from 'ws'

/** A server with WebSockets, set up as the docs show. */
export type Served = {
  readonly port: number
  readonly server: Server
  /** The open sockets and their principals. */
  readonly admitted: { readonly webSocket: WebSocket; readonly principal: Principal; readonly request: IncomingMessage }[]
  readonly close: () => Promise<void>
}

type Setup = UpgradeOptions & {
  /** Whether the host forgets to call `watch`. */
  readonly forgetful?: boolean
}

/** Serves WebSockets behind `authenticateUpgrade`. */
export async function serveSockets(tokens: Authenticator, { forgetful = false, ...options }: Setup = {}): Promise<Served> {
  const sockets = new WebSocketServer({ noServer: true })
  const server = createServer()
  const admitted: Served['admitted'] = []
  server.on('upgrade', async (request, socket, head) => {
    const upgrade = await authenticateUpgrade(tokens, request, options)
    if (!upgrade.ok) return upgrade.reject(socket)
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      if (!forgetful) upgrade.watch(webSocket)
      admitted.push({ webSocket, principal: upgrade.principal, request })
      webSocket.on('message', (data) => webSocket.send(`echo ${String(data)}`))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    server,
    admitted,
    async close() {
      for (const { webSocket } of admitted) webSocket.terminate()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** The answer to a handshake, as received from the wire. */
export type Answer = { readonly status: number; readonly head: string; readonly body: string; readonly socket: Socket }

/** Requests a WebSocket over a raw socket with additional header lines, and waits for the answer. */
export async function handshake(port: number, lines: readonly string[] = [], path = '/live', after = ''): Promise<Answer> {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => undefined)
  const head = [
    `GET ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...lines,
  ]
  socket.write(`${head.join('\r\n')}\r\n\r\n${after}`)
  let text = ''
  await new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      if (text.startsWith('HTTP/1.1 101') && text.includes('\r\n\r\n')) resolve()
    })
    socket.once('close', () => resolve())
  })
  const [answered = '', body = ''] = text.split('\r\n\r\n')
  return { status: Number(/^HTTP\/1\.1 (\d{3})/.exec(answered)?.[1] ?? 0), head: answered, body, socket }
}

/** Opens a WebSocket like a client, and waits until it is open. */
export async function open(
  port: number,
  protocols: readonly string[] = [],
  headers: Readonly<Record<string, string>> = {},
): Promise<WebSocket> {
  const webSocket = new WebSocket(`ws://127.0.0.1:${port}/live`, [...protocols], { headers })
  await once(webSocket, 'open')
  return webSocket
}
