import { connect, type Socket } from 'node:net'

/** A response as received over the wire. */
export type WireResponse = {
  readonly status: number
  /** Lowercase names; repeated fields joined with a comma. */
  readonly headers: { readonly [name: string]: string }
  readonly body: string
}

const DEADLINE_MS = 8000

/** Opens a connection. */
export function open(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      // Later errors are ignored, because the tests judge the bytes that were received.
      socket.on('error', () => undefined)
      resolve(socket)
    })
  })
}

/** Sends bytes (each character of the text is one Latin-1 byte) and reads until the server closes. `methods` tells the parser which responses have no body. */
export async function exchange(
  port: number,
  text: string,
  methods: readonly string[] = [methodOf(text)],
): Promise<readonly WireResponse[]> {
  const socket = await open(port)
  const received = receive(socket)
  socket.write(text, 'latin1')
  return parseResponses(await received, methods)
}

/** Reads everything that the server sends until it closes. */
export function receive(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const timer = setTimeout(() => {
      reject(new Error(`the response did not end within ${DEADLINE_MS / 1000} s, so far ${JSON.stringify(text().slice(0, 300))}`))
      socket.destroy()
    }, DEADLINE_MS)
    const text = (): string => Buffer.concat(chunks).toString('latin1')
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.once('close', () => {
      clearTimeout(timer)
      resolve(text())
    })
  })
}

/** The method in a request's first line. */
export function methodOf(text: string): string {
  return text.slice(0, text.indexOf(' '))
}

/** Parses the responses in a stream of bytes. Interim responses (1xx) are skipped. */
export function parseResponses(stream: string, methods: readonly string[]): readonly WireResponse[] {
  const responses: WireResponse[] = []
  let rest = stream
  while (rest !== '') {
    const end = rest.indexOf('\r\n\r\n')
    if (end === -1) throw new Error(`the head did not end: ${JSON.stringify(rest.slice(0, 200))}`)
    const [statusLine = '', ...lines] = rest.slice(0, end).split('\r\n')
    const status = Number(statusLine.split(' ')[1])
    rest = rest.slice(end + 4)
    if (status >= 100 && status < 200) continue
    const headers = parseHeaders(lines)
    const bodiless = methods[responses.length] === 'HEAD' || status === 204 || status === 304
    const [body, after] = bodiless ? ['', rest] : readBody(headers, rest)
    responses.push({ status, headers, body: Buffer.from(body, 'latin1').toString('utf8') })
    rest = after
  }
  return responses
}

function parseHeaders(lines: readonly string[]): { readonly [name: string]: string } {
  const headers = new Map<string, string>()
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    const before = headers.get(name)
    headers.set(name, before === undefined ? value : `${before}, ${value}`)
  }
  return Object.fromEntries(headers)
}

function readBody(headers: { readonly [name: string]: string }, rest: string): readonly [string, string] {
  const length = headers['content-length']
  if (length !== undefined) return [rest.slice(0, Number(length)), rest.slice(Number(length))]
  if (headers['transfer-encoding'] !== 'chunked') return [rest, '']
  let body = ''
  let left = rest
  for (;;) {
    const lineEnd = left.indexOf('\r\n')
    const size = Number.parseInt(left.slice(0, lineEnd), 16)
    const start = lineEnd + 2
    if (!(size > 0)) return [body, left.slice(start + 2)]
    body += left.slice(start, start + size)
    left = left.slice(start + size + 2)
  }
}
