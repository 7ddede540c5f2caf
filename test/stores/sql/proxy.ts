import { connect, createServer, type Server, type Socket } from 'node:net'

/** A proxy before a database that can die and come back, and tell how many connections go through it. */
export type DatabaseProxy = {
  /** The database's URL, by way of the proxy. */
  readonly url: string
  /** Closes every connection and refuses new ones. */
  die(): Promise<void>
  /** Loses every connection without telling either side, and takes new ones. */
  forget(): void
  /** Takes connections again, on the same port. */
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

/** Puts a proxy before the database at `url`. */
export const proxyBefore = async (url: string, defaultPort: number): Promise<DatabaseProxy> => {
  const target = new URL(url)
  const sockets = new Set<Socket>()
  const farOf = new Map<Socket, Socket>()
  const forgotten = new WeakSet<Socket>()
  let server: Server | undefined
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
        from.pipe(to)
      }
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
    async comeBack() {
      server = make()
      await listening(server, port)
    },
    connections: () => sockets.size,
    close: die,
  }
}
