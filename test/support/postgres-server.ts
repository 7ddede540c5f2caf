import { type ChildProcess, execFile, type StdioOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, chmod, chown, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { freePort } from './redis-server.js'
import { findProgram, idOf } from './sql-server.js'

const PROGRAMS = ['postgres', 'initdb', 'pg_basebackup'] as const

/** Why a primary and a standby cannot be started here, or `undefined`. With `LATCHKEY_REQUIRE_SERVICES=1`, this is an error. */
export const replicationMissing = (): string | undefined => {
  const missing = PROGRAMS.filter((program) => findProgram(program) === undefined)
  if (missing.length === 0) return undefined
  const skip = `there is no ${missing.join(' and no ')} to start a primary and a standby: install the package postgresql`
  if (process.env.LATCHKEY_REQUIRE_SERVICES === '1') throw new Error(`LATCHKEY_REQUIRE_SERVICES=1, but ${skip}`)
  console.warn(`skipped: ${skip}`)
  return skip
}

/** How long a server may take to reach the requested state. */
const PATIENCE_MS = 60_000

type Ids = { readonly uid: number; readonly gid: number } | undefined

/** A test's own Postgres server: a primary, or a standby that follows one. It can be killed, restarted and promoted. */
export class PostgresServer {
  readonly port: number
  readonly #folder: string
  readonly #ids: Ids
  #child: ChildProcess | undefined

  private constructor(folder: string, port: number, ids: Ids) {
    this.#folder = folder
    this.port = port
    this.#ids = ids
  }

  get url(): string {
    return `postgres://postgres@127.0.0.1:${this.port}/postgres`
  }

  /** Starts an empty server. */
  static async primary(): Promise<PostgresServer> {
    return await PostgresServer.#made(async (server) => {
      await server.#run('initdb', ['-D', server.#data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'])
    })
  }

  /** Starts a standby that streams from `primary` under the given `name`. */
  static async standby(primary: PostgresServer, name: string): Promise<PostgresServer> {
    return await PostgresServer.#made(async (server) => {
      const from = ['-h', '127.0.0.1', '-p', `${primary.port}`, '-U', 'postgres']
      await server.#run('pg_basebackup', [...from, '-D', server.#data, '-X', 'stream', '-c', 'fast', '--no-sync'])
      await server.#follow(primary, name)
    })
  }

  static async #made(fill: (server: PostgresServer) => Promise<void>): Promise<PostgresServer> {
    const ids = await idOf('postgres')
    const folder = await mkdtemp(join(tmpdir(), 'latchkey-postgres-'))
    if (ids !== undefined) await chown(folder, ids.uid, ids.gid)
    await chmod(folder, 0o755)
    const server = new PostgresServer(folder, await freePort(), ids)
    try {
      await fill(server)
      await server.start()
    } catch (error) {
      await server.dispose()
      throw error
    }
    return server
  }

  get #data(): string {
    return join(this.#folder, 'data')
  }

  get #log(): string {
    return join(this.#folder, 'log')
  }

  async #run(program: string, args: readonly string[]): Promise<void> {
    await promisify(execFile)(findProgram(program) ?? program, [...args], { cwd: this.#folder, ...this.#ids })
  }

  async #follow(primary: PostgresServer, name: string): Promise<void> {
    const from = `primary_conninfo = 'host=127.0.0.1 port=${primary.port} user=postgres application_name=${name}'\n`
    await appendFile(join(this.#data, 'postgresql.auto.conf'), from)
    const signal = join(this.#data, 'standby.signal')
    await writeFile(signal, '')
    if (this.#ids !== undefined) await chown(signal, this.#ids.uid, this.#ids.gid)
  }

  /** Starts the server on its port, and waits until it responds. */
  async start(): Promise<void> {
    // Without a replication slot, a primary may remove segments that a slow standby still needs.
    const settings = ['fsync=off', 'hot_standby=on', 'wal_keep_size=1GB'].flatMap((setting) => ['-c', setting])
    const args = ['-D', this.#data, '-p', `${this.port}`, '-k', this.#folder, '-h', '127.0.0.1', ...settings]
    for (let attempt = 1; ; attempt += 1) {
      const log = await open(this.#log, 'a')
      const stdio: StdioOptions = ['ignore', log.fd, log.fd]
      const child = spawn(findProgram('postgres') ?? 'postgres', args, { cwd: this.#folder, stdio, ...this.#ids })
      this.#child = child
      await log.close()
      while (child.exitCode === null && child.signalCode === null) {
        if (await this.#answers()) return
        await sleep(50)
      }
      // Processes of a killed server may still be exiting.
      if (attempt === 20) throw new Error(`postgres ended with ${child.exitCode}`)
      await sleep(250)
    }
  }

  async #answers(): Promise<boolean> {
    return await this.query('select 1').then(
      () => true,
      () => false,
    )
  }

  async query(text: string, schema = 'public'): Promise<readonly { readonly [column: string]: unknown }[]> {
    const client = new Client({ connectionString: this.url, options: `-c search_path=${schema}` })
    client.on('error', () => {})
    try {
      await client.connect()
      return (await client.query<{ [column: string]: unknown }>(text)).rows
    } finally {
      await client.end().catch(() => {})
    }
  }

  /** Ends the server as a power cut would, as far as a process can: the server notifies no client and writes nothing. */
  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }

  /** Makes a standby the primary. */
  async promote(): Promise<void> {
    // A waiting session would delay the remaining replay, which removes rows that the session's snapshot may see.
    await this.query('select pg_promote(false)')
    await this.#until('select 1 where not pg_is_in_recovery()')
  }

  /** From now on, no commit is acknowledged before the standby with this name has the commit. */
  async synchronize(name: string): Promise<void> {
    // Before the standby streams, every commit would wait for it.
    await this.#until(`select 1 from pg_stat_replication where application_name = '${name}' and state = 'streaming'`)
    await this.query(`alter system set synchronous_standby_names = '${name}'`)
    await this.query('select pg_reload_conf()')
    await this.#until(`select 1 from pg_stat_replication where application_name = '${name}' and sync_state = 'sync'`)
  }

  async desynchronize(): Promise<void> {
    await this.query('alter system reset synchronous_standby_names')
    await this.query('select pg_reload_conf()')
  }

  /** Waits until the standby has replayed everything that the primary has now. */
  async catchUp(standby: PostgresServer): Promise<void> {
    const [row] = await this.query('select pg_current_wal_lsn()::text as lsn')
    await standby.#until(`select 1 where pg_last_wal_replay_lsn() >= '${String(row?.lsn)}'`)
  }

  /** Waits until the query returns a row. If it never does, the error contains the query and the end of the server's log. */
  async #until(query: string): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS
    for (;;) {
      const answer = await this.query(query).catch((error: unknown) => error)
      if (Array.isArray(answer) && answer.length > 0) return
      if (Date.now() > deadline) {
        const last = (await readFile(this.#log, 'utf8')).split('\n').slice(-20).join('\n')
        throw new Error(`the server on port ${this.port} never answered: ${query}\nThe end of its log:\n${last}`, { cause: answer })
      }
      await sleep(20)
    }
  }

  /** Stops the server and removes its data. */
  async dispose(): Promise<void> {
    await this.kill()
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }
}
