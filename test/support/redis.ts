import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'

/** A key prefix that nothing else uses, with the hash tag that the store would add. */
export const newKeyPrefix = (): string => `{test-${randomBytes(8).toString('hex')}}:`

/** Removes every key with this prefix. */
export async function removeKeys(client: Redis, keyPrefix: string): Promise<void> {
  for await (const keys of client.scanStream({ match: `${keyPrefix}*`, count: 1000 })) {
    if (keys.length > 0) await client.unlink(...keys)
  }
}

/** Calls `use` with a new client, and closes the client afterward. */
export async function withRedis<T>(url: string, use: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url)
  try {
    return await use(client)
  } finally {
    client.disconnect()
  }
}
