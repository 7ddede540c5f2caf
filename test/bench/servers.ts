import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import type { FloorRecord } from './floor.js'
import { expressVariants } from './servers/express.js'
import { fastifyVariants } from './servers/fastify.js'
import { koaVariants } from './servers/koa.js'
import type { Credentials, Served } from './servers/types.js'

const KEYS = 1000

/** The address of a variant, and the credential to send. */
export type Door = { readonly name: string; readonly url: string; readonly credential: string }

/** Starts every variant of a framework on its own port, and reports the CPU time of the process on request. */
export async function serve(framework: string): Promise<void> {
  const credentials = await createCredentials()
  const variantsOf: { readonly [name: string]: (given: Credentials) => Promise<readonly Served[]> } = {
    express: expressVariants,
    koa: koaVariants,
    fastify: fastifyVariants,
  }
  const doors: Door[] = []
  for (const { name, listener, credential } of (await variantsOf[framework]?.(credentials)) ?? []) {
    const server = createServer(listener)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/stock`
    doors.push({ name, url, credential: `Bearer ${credential ?? credentials.texts[0]}` })
  }
  process.on('message', () => process.send?.({ cpu: process.cpuUsage() }))
  process.on('disconnect', () => process.exit())
  process.send?.({ doors })
}

async function createCredentials(): Promise<Credentials> {
  const store = memoryStore()
  const tokens = latchkey({ prefix: 'acme_live', store, scopes: { 'stock:read': 'See stock' } })
  const records = new Map<string, FloorRecord>()
  const texts: string[] = []
  for (let at = 0; at < KEYS; at += 1) {
    const { token, record } = await tokens.system.create({ name: `key ${at}`, scopes: ['stock:read'] })
    const [stored] = await store.find([record.id])
    if (stored !== undefined) records.set(record.id, { digest: stored.digest })
    texts.push(token)
  }
  const jwtSecret = 'a secret of at least thirty-two characters, for the benchmark'
  return { tokens, records, texts, jwtSecret, jwt: createJwt(jwtSecret) }
}

function createJwt(secret: string): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  const claims = { iss: 'https://issuer.example/', aud: 'stock', sub: 'erp', scope: 'stock:read', iat: now, exp: now + 86_400 }
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}
