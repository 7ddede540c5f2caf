import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { freePort } from './redis-server.js'
import { findProgram, idOf } from './sql-server.js'

/** Why PgBouncer cannot be started here, or `undefined`. With `LATCHKEY_REQUIRE_SERVICES=1`, this is an error. */
export const pgBouncerMissing = (): string | undefined => {
  if (findProgram('pgbouncer') !== undefined) return undefined
  const skip = 'pgbouncer is not installed: install the package pgbouncer'
  if (process.env.LATCHKEY_REQUIRE_SERVICES === '1') throw new Error(`LATCHKEY_REQUIRE_SERVICES=1, but ${skip}`)
  console.warn(`skipped: ${skip}`)
  return skip
}

/** A test's own pooler in front of a server. */
export type PgBouncer = { readonly url: string; dispose(): Promise<void> }

type Mode = 'transaction' | 'session'

const settings = (server: URL, port: number, connections: number, mode: Mode): string => `[databases]
* = host=${server.hostname} port=${server.port || '5432'} user=${decodeURIComponent(server.username)}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = ${mode}
default_pool_size = ${connections}
max_client_conn = 500
server_round_robin = 1
logfile =
`

const answers = async (connectionString: string): Promise<boolean> => {
  const client = new Client({ connectionString })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('select 1')
    return true
  } catch {
    return false
  } finally {
    await client.end().catch(() => {})
  }
}

/**
 * Starts PgBouncer in front of the server at `url`.
 *
 * In transaction mode it assigns each transaction to its few connections in turn, so any session state soon belongs to another client.
 */
export const createPgBouncer = async (url: string, connections: number, mode: Mode = 'transaction'): Promise<PgBouncer> => {
  const server = new URL(url)
  const port = await freePort()
  const id = await idOf('postgres')
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-pgbouncer-'))
  const config = join(folder, 'pgbouncer.ini')
  await writeFile(config, settings(server, port, connections, mode))
  if (id !== undefined) await chown(folder, id.uid, id.gid)
  await chmod(folder, 0o755)
  const child = spawn(findProgram('pgbouncer') ?? 'pgbouncer', [config], { cwd: folder, stdio: 'ignore', ...id })
  const dispose = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    }
    await rm(folder, { recursive: true, force: true })
  }
  const pooled = new URL(url)
  pooled.hostname = '127.0.0.1'
  pooled.port = `${port}`
  for (;;) {
    if (child.exitCode !== null) {
      await dispose()
      throw new Error(`pgbouncer ended with ${child.exitCode}`)
    }
    if (await answers(pooled.href)) return { url: pooled.href, dispose }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
