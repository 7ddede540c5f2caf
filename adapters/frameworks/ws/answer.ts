import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { PlainResponse } from '../../../src/http/problem.js'
import { startTimer } from '../../../src/store/timer.js'

/** How long to read data that the client has already sent, and how much of it. Closing a connection with unread bytes would lose the response. */
const MAX_DRAIN_MS = 2000
const MAX_DRAINED_BYTES = 64 * 1024

/** The client may disconnect in between; an error on a socket without a listener would end the process. */
export const ignoreErrors = (): void => {}

/** Answers an upgrade request with a plain HTTP response and closes the connection (RFC 6455 §4.2.2, RFC 9112 §9.6). */
export function answerOn(socket: Duplex, { status, headers, body }: PlainResponse): void {
  socket.on('error', ignoreErrors)
  if (socket.destroyed || !socket.writable) return void socket.destroy()
  const bytes = Buffer.from(body)
  const fields = { ...headers, 'content-length': String(bytes.byteLength), connection: 'close', date: new Date().toUTCString() }
  const head = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(Buffer.concat([Buffer.from(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${head.join('')}\r\n`), bytes]))
  const timer = startTimer(() => socket.destroy(), MAX_DRAIN_MS)
  let left = MAX_DRAINED_BYTES
  socket.on('data', (chunk: Buffer) => {
    left -= chunk.length
    if (left < 0) socket.destroy()
  })
  socket.once('close', () => clearTimeout(timer))
}
