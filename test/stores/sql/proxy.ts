import { connect, createServer, type Server, type Socket } from 'node:net'
import { Transform } from 'node:stream'

/** A proxy in front of a database. It can die, come back, and count its connections. */
export type DatabaseProxy = {
  /** The database's URL through the proxy. */
  readonly url: string
  /** Closes every connection and refuses new ones. */
  die(): Promise<void>
  /** Drops every connection without telling either side, and accepts new ones. */
  forget(): void
  /** Blocks the first connection that sends these strings, starting with the last string, as if its process had stopped. */
  stopWithin(texts: readonly string[]): void
  hasStopped(): boolean
  /** Accepts connections again, on the same port. */
  comeBack(): Promise<void>
  connections(): number
  close(): Promise<void>
}

const listening = (server: Server, port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      server.removeListener('error', reject)
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })

const isWithin = (sent: string, texts: readonly string[]): boolean => {
  let at = 0
  for (const text of texts) {
    at = sent.indexOf(text, at) + text.length
    if (at < text.length) return false
  }
  return true
}

/** Puts a proxy in front of the database at `url`. */
export const proxyBefore = async (url: string, defaultPort: number): Promise<DatabaseProxy> => {
  const target = new URL(url)
  const sockets = new Set<Socket>()
  const farOf = new Map<Socket, Socket>()
  const forgotten = new WeakSet<Socket>()
  let server: Server | undefined
  let stopper: readonly string[] | undefined
  const gate = (): Transform => {
    let sent = ''
    let stopped = false
    return new Transform({
      transform(piece: Buffer, _encoding, done) {
        if (stopper !== undefined) {
          sent += piece.toString('latin1')
          stopped = isWithin(sent, stopper)
          if (stopped) stopper = undefined
        }
        done(null, stopped ? undefined : piece)
      },
    })
  }
  const make = (): Server =>
    createServer({ allowHalfOpen: true }, (near) => {
      const far = connect(Number(target.port || defaultPort), target.hostname)
      sockets.add(near)
      farOf.set(near, far)
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        from.on('error', () => to.destroy())
        from.on('close', () => {
          if (!forgotten.has(from)) to.destroy()
          if (from === near) farOf.delete(near)
          if (from === near || !forgotten.has(from)) sockets.delete(near)
        })
      }
      near.pipe(gate()).pipe(far)
      far.pipe(near)
    })
  server = make()
  const port = await listening(server, 0)
  const through = new URL(url)
  through.hostname = '127.0.0.1'
  through.port = String(port)
  const die = async (): Promise<void> => {
    const dying = server
    server = undefined
    const closed = new Promise<void>((resolve) => (dying === undefined ? resolve() : dying.close(() => resolve())))
    for (const socket of sockets) socket.destroy()
    await closed
  }
  return {
    url: through.href,
    die,
    forget() {
      for (const [near, far] of farOf) {
        forgotten.add(far)
        for (const socket of [near, far]) socket.unpipe().resume()
      }
    },
    stopWithin(texts) {
      stopper = texts
    },
    hasStopped: () => stopper === undefined,
    async comeBack() {
      server = make()
      await listening(server, port)
    },
    connections: () => sockets.size,
    close: die,
  }
}
