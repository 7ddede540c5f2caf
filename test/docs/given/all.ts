import type { Server } from 'node:http'
import type { Redis } from 'ioredis'
import type { Kysely } from 'kysely'
import type { Actor, AuditEvent, Latchkey, LatchkeyOptions, Principal, TokenRecord, TokenStore } from 'latchkey'
import type { introspection } from 'latchkey/oauth'
import type { Pool as MysqlPool } from 'mysql2/promise'
import type { Pool } from 'pg'

export { readFile } from 'node:fs/promises'
export { getRequestListener } from '@hono/node-server'
export { type LatchkeyOptions, latchkey, type RateLimit } from 'latchkey'
export { createClient } from 'latchkey/client'
export { dashboard } from 'latchkey/dashboard'
export { sha256Tokens } from 'latchkey/import'
export { memoryStore } from 'latchkey/stores/memory'
export { mysqlStore } from 'latchkey/stores/mysql'
export { postgresStore } from 'latchkey/stores/postgres'
export { redisStore } from 'latchkey/stores/redis'
export { sqliteStore } from 'latchkey/stores/sqlite'
export { heldStore } from 'latchkey/testing'
export { RateLimiterRedis } from 'rate-limiter-flexible'

// Declarations that the pages assume the reader has. Nothing here runs.

export declare const tokens: Latchkey<string>
export declare const store: TokenStore
export declare const scopes: { readonly 'inventory:read': string; readonly 'inventory:write': string }
/** Options that were shown earlier on a page. */
export declare const elided: Pick<LatchkeyOptions<string>, 'prefix' | 'store' | 'scopes'>
export declare const actor: Actor
export declare const user: Actor
export declare const principal: Principal
export declare const signal: AbortSignal
export declare const record: TokenRecord
export declare const id: string
export declare const token: string
export declare const url: string
export declare const schema: string
type ToVerify = NonNullable<Parameters<Latchkey['system']['verifyAudit']>[0]>
export declare const head: NonNullable<ToVerify['head']>
export declare const event: AuditEvent
export declare const file: NodeJS.WritableStream
export declare class NotAccepted extends Error {}
export declare function setAside(event: AuditEvent): Promise<void>
export declare const server: Server

type ClientOf = Parameters<typeof introspection>[1]['client']
export declare function currentUser(request: object): Actor & { readonly tenant: string; readonly isAdmin: boolean }
export declare function companiesOf(
  id: string,
  search?: string,
  ids?: readonly string[],
): readonly { readonly id: string; readonly name: string }[]
export declare function colleaguesOf(id: string): Promise<readonly { readonly id: string; readonly name: string }[]>
export declare function addressOf(request: Request): string
export declare function clientOfBasicAuth(request: Request): ReturnType<ClientOf>
export declare const client: ClientOf
export declare const users: {
  find(id: string): Promise<{ scopesIn(tenantId: string | undefined): string[]; warehouses: string[] } | undefined>
}
export declare function showOnce(token: string): void
export declare function planOf(tenantId: string | undefined): { readonly requestsPerMinute: number | undefined }
export declare function findLegacyKey(
  key: string,
): Promise<{ readonly id: string; readonly name: string; readonly tenant: string; readonly scopes: string[] } | undefined>

export declare const logger: Pick<Console, 'warn' | 'error' | 'info'>
export declare function pino(): Pick<Console, 'warn' | 'error' | 'info'>
export declare const metrics: { increment(name: string, labels: object): void }
export declare function mail(to: string, text: string): Promise<void>
export declare const queue: { add(message: unknown): void }
export declare function isNew(id: string | readonly string[] | undefined): boolean
export declare function send(event: AuditEvent): Promise<void>
export declare function pause(ms: number): Promise<void>
export declare function deploy(fetch: typeof globalThis.fetch): Promise<void>
export declare function updateSecret(name: string, value: string): Promise<void>

/** A row of the host's table as returned by a driver, with numbers and nulls. */
// biome-ignore lint/suspicious/noExplicitAny: what drivers return
type Row = { readonly [column: string]: any; readonly label: string; readonly user_id: number; readonly expires_at: Date | null }
export declare const rows: AsyncIterable<Row>
export declare function map(row: Row): { name: string; scopes: 'inventory:read'[] } | undefined
export declare function scopesOf(permissions: string): string[]
export declare function abilitiesToScopes(abilities: string[]): string[]
export declare function compareScrypt(credential: string, hash: string): Promise<boolean>

export { DatabaseSync } from 'node:sqlite'
export { Redis } from 'ioredis'
export { default as Database } from 'libsql'
export declare const redis: Redis
export declare const pool: Pool & MysqlPool
export declare const kysely: Kysely<unknown>
export declare const db: Kysely<{ customers: { id: string } }>
export declare const database: import('libsql').Database
export declare const input: { name: string; tenantId: string; scopes: 'inventory:read'[] }
export declare const privateJwk: import('jose').JWK
export declare function myStore(url?: string): TokenStore
export declare function emptyDatabase(): Promise<{ readonly url: string; run(sql: string): Promise<void>; drop(): Promise<void> }>

/** From Workers and Next.js. */
export declare const context: { waitUntil(work: Promise<unknown>): void }
export declare function after(work: () => Promise<unknown>): void
export type Env = {
  readonly MANAGE: string
  readonly KV: { get(key: string, type: 'json'): Promise<{ token: string } | null>; put(key: string, value: string): Promise<void> }
}
export type ExecutionContext = typeof context
export declare const Deno: { serve(handle: (request: Request) => Response | Promise<Response>): void }
export declare function handle(request: Request): Response
export declare const request: Request
