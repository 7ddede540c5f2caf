import { connect } from '@nats-io/transport-node'
import { Redis } from 'ioredis'
import { createConnection } from 'mysql2/promise'
import { Client } from 'pg'

/** The servers that tests can run against. */
export type ServiceName = 'redis' | 'postgres' | 'mysql' | 'nats'

/** The address of a server, or why the tests that need it are skipped. */
export type Service = { readonly url: string; readonly skip?: undefined } | { readonly url?: undefined; readonly skip: string }

const PROBE_MS = 3_000

const places: { readonly [name in ServiceName]: { readonly variable: string; readonly fallback: string } } = {
  redis: { variable: 'LATCHKEY_TEST_REDIS_URL', fallback: 'redis://127.0.0.1:6379' },
  postgres: { variable: 'LATCHKEY_TEST_POSTGRES_URL', fallback: 'postgres://postgres@127.0.0.1:5432/test' },
  mysql: { variable: 'LATCHKEY_TEST_MYSQL_URL', fallback: 'mysql://root@127.0.0.1:3306/test' },
  nats: { variable: 'LATCHKEY_TEST_NATS_URL', fallback: 'nats://127.0.0.1:4222' },
}

const probes: { readonly [name in ServiceName]: (url: string) => Promise<unknown> } = {
  redis: async (url) => {
    const client = new Redis(url, { lazyConnect: true, connectTimeout: PROBE_MS, commandTimeout: PROBE_MS, retryStrategy: () => null })
    client.on('error', () => {})
    try {
      await client.connect()
      await client.ping()
    } finally {
      client.disconnect()
    }
  },
  postgres: async (url) => {
    const client = new Client({ connectionString: url, connectionTimeoutMillis: PROBE_MS, query_timeout: PROBE_MS })
    client.on('error', () => {})
    try {
      await client.connect()
      await client.query('select 1')
    } finally {
      await client.end().catch(() => {})
    }
  },
  mysql: async (url) => {
    const connection = await createConnection({ uri: url, connectTimeout: PROBE_MS })
    try {
      await connection.query('select 1')
    } finally {
      connection.destroy()
    }
  },
  nats: async (url) => {
    const connection = await connect({ servers: url, timeout: PROBE_MS, reconnect: false })
    try {
      await connection.flush()
    } finally {
      await connection.close()
    }
  },
}

const found = new Map<ServiceName, Promise<Service>>()

const look = async (name: ServiceName): Promise<Service> => {
  const { variable, fallback } = places[name]
  const url = process.env[variable] || fallback
  try {
    await probes[name](url)
    return { url }
  } catch (error) {
    const why = error instanceof Error ? error.message || error.name : String(error)
    const skip = `no ${name} answers where ${process.env[variable] ? variable : `the default (set ${variable})`} points: ${why}`
    if (process.env.LATCHKEY_REQUIRE_SERVICES === '1') throw new Error(`LATCHKEY_REQUIRE_SERVICES=1, but ${skip}`)
    console.warn(`skipped: ${skip}`)
    return { skip }
  }
}

/**
 * Finds a server by connecting to it and sending a request: at the URL from the environment, or else on the default loopback port.
 *
 * If no server responds, `skip` says why. With `LATCHKEY_REQUIRE_SERVICES=1` it throws instead, so nothing is skipped unnoticed.
 *
 * @example
 * ```ts
 * const redis = await service('redis')
 * describe.skipIf(redis.skip)(`redis store ${redis.skip ?? ''}`, () => { … })
 * ```
 */
export const service = (name: ServiceName): Promise<Service> => {
  const known = found.get(name) ?? look(name)
  found.set(name, known)
  return known
}
