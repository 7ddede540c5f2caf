import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** When to end a connection, and the bytes to append to the server's message in the same packet. */
export type Cut = { readonly isMoment: (chunk: Buffer) => boolean; readonly bytes: Buffer }

/** A proxy that ends a connection in the same packet that frees it for the next call. */
export type CuttingProxy = { readonly url: string; arm(): void; readonly cuts: number; close(): void }

const message = (type: string, body: Buffer): Buffer => {
  const head = Buffer.alloc(5)
  head.write(type)
  head.writeInt32BE(body.length + 4, 1)
  return Buffer.concat([head, body])
}

/** Right after ReadyForQuery: the error that Postgres sends when an administrator ends the connection (57P01). */
const postgres: Cut = {
  isMoment: (chunk) => chunk.subarray(-6).equals(Buffer.from([0x5a, 0, 0, 0, 5, 0x49])),
  bytes: message('E', Buffer.from('SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0')),
}

/** The error packet "Connection was killed", numbered like the first packet of an answer. */
const mysql: Cut = {
  isMoment: () => true,
  bytes: (() => {
    const body = Buffer.concat([Buffer.from([0xff, 0x87, 0x07]), Buffer.from('#70100Connection was killed')])
    const head = Buffer.alloc(4)
    head.writeUIntLE(body.length, 0, 3)
    return Buffer.concat([head, body])
  })(),
}

/** A Redis server sends nothing when it ends a connection. */
const redis: Cut = { isMoment: () => true, bytes: Buffer.alloc(0) }

const CUTS: { readonly [kind in 'postgres' | 'mysql' | 'redis']: Cut } = { postgres, mysql, redis }

/** Puts a cutting proxy in front of the server at `url`. */
export const cuttingProxy = async (kind: keyof typeof CUTS, url: string, defaultPort: number): Promise<CuttingProxy> => {
  const { isMoment, bytes } = CUTS[kind]
  const target = new URL(url)
  const sockets = new Set<Socket>()
  let armed = 0
  let cuts = 0
  const server = createServer((near) => {
    const far = connect(Number(target.port || defaultPort), target.hostname)
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => other.destroy())
      socket.on('close', () => {
        sockets.delete(socket)
        other.destroy()
      })
    }
    near.on('data', (chunk) => far.write(chunk))
    far.on('data', (chunk: Buffer) => {
      if (armed === 0 || !isMoment(chunk)) return near.write(chunk)
      armed -= 1
      cuts += 1
      return near.end(Buffer.concat([chunk, bytes]))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const through = new URL(url)
  through.hostname = '127.0.0.1'
  through.port = String(typeof address === 'object' && address !== null ? address.port : 0)
  return {
    url: through.href,
    arm() {
      armed += 1
    },
    get cuts() {
      return cuts
    },
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}
