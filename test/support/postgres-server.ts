import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { freePort } from './redis-server.js'
import { findProgram, idOf } from './sql-server.js'

const PROGRAMS = ['postgres', 'initdb', 'pg_basebackup'] as const

/** Why no primary and standby can be started here, if that is so. With `LATCHKEY_REQUIRE_SERVICES=1` that is an error. */
export const replicationMissing = (): string | undefined => {
  const missing = PROGRAMS.filter((program) => findProgram(program) === undefined)
  if (missing.length === 0) return undefined
  const skip = `there is no ${missing.join(' and no ')} to start a primary and a standby: install the package postgresql`
  if (process.env.LATCHKEY_REQUIRE_SERVICES === '1') throw new Error(`LATCHKEY_REQUIRE_SERVICES=1, but ${skip}`)
  console.warn(`skipped: ${skip}`)
  return skip
}

type Ids = { readonly uid: number; readonly gid: number } | undefined

/** A Postgres server of the test's own: a primary, or a standby that follows one. It can be killed, started again and promoted. */
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

  /** Starts a standby that streams from `primary`, which knows it by `name`. */
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

  /** Starts the server on its port, and waits until it answers. */
  async start(): Promise<void> {
    const args = ['-D', this.#data, '-p', `${this.port}`, '-k', this.#folder, '-h', '127.0.0.1', '-c', 'fsync=off', '-c', 'hot_standby=on']
    for (let attempt = 1; ; attempt += 1) {
      const child = spawn(findProgram('postgres') ?? 'postgres', args, { cwd: this.#folder, stdio: 'ignore', ...this.#ids })
      this.#child = child
      while (child.exitCode === null && child.signalCode === null) {
        if (await this.#answers()) return
        await sleep(50)
      }
      // Processes of a server that was killed are still on their way out.
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

  /** Ends it as a power cut does, as far as a process can: nothing is said to anybody, nothing is written. */
  async kill(): Promise<void> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = once(child, 'exit')
    child.kill('SIGKILL')
    await exited
  }

  /** Makes a standby the primary. */
  async promote(): Promise<void> {
    // A session that waited would hold up what is still to be replayed: that removes rows which its snapshot may see.
    await this.query('select pg_promote(false)')
    while (!(await this.#is('not pg_is_in_recovery()'))) await sleep(20)
  }

  /** No commit is acknowledged any more before the standby of this name has it, too. */
  async synchronize(name: string): Promise<void> {
    // Before it streams, every commit would wait for it.
    await this.#until(`select 1 from pg_stat_replication where application_name = '${name}' and state = 'streaming'`)
    await this.query(`alter system set synchronous_standby_names = '${name}'`)
    await this.query('select pg_reload_conf()')
    await this.#until(`select 1 from pg_stat_replication where application_name = '${name}' and sync_state = 'sync'`)
  }

  async desynchronize(): Promise<void> {
    await this.query('alter system reset synchronous_standby_names')
    await this.query('select pg_reload_conf()')
  }

  /** Waits until the standby has replayed whatever the primary has now. */
  async catchUp(standby: PostgresServer): Promise<void> {
    const [row] = await this.query('select pg_current_wal_lsn()::text as lsn')
    await standby.#until(`select 1 where pg_last_wal_replay_lsn() >= '${String(row?.lsn)}'`)
  }

  async #is(condition: string): Promise<boolean> {
    return await this.query(`select 1 where ${condition}`).then(
      (rows) => rows.length > 0,
      () => false,
    )
  }

  async #until(query: string): Promise<void> {
    while ((await this.query(query)).length === 0) await sleep(20)
  }

  /** Ends the server and removes all of it. */
  async dispose(): Promise<void> {
    await this.kill()
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }
}
