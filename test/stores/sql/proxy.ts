import { connect, createServer, type Server, type Socket } from 'node:net'

/** A proxy before a database that can die and come back, and tell how many connections go through it. */
export type DatabaseProxy = {
  /** The database's URL, by way of the proxy. */
  readonly url: string
  /** Closes every connection and refuses new ones. */
  die(): Promise<void>
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
  let server: Server | undefined
  const make = (): Server =>
    createServer((near) => {
      const far = connect(Number(target.port || defaultPort), target.hostname)
      sockets.add(near)
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        from.on('error', () => to.destroy())
        from.on('close', () => {
          to.destroy()
          sockets.delete(near)
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
    async comeBack() {
      server = make()
      await listening(server, port)
    },
    connections: () => sockets.size,
    close: die,
  }
}
