import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, chown, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createConnection } from 'mysql2/promise'
import { Client } from 'pg'
import { freePort } from './redis-server.js'

type Kind = {
  readonly program: string
  readonly init: string
  /** Servers refuse to run as root. */
  readonly user: string
  initArgs(folder: string): readonly string[]
  args(folder: string, port: number): readonly string[]
  url(port: number): string
  probe(url: string): Promise<unknown>
}

const KINDS: { readonly [name in 'postgres' | 'mariadb']: Kind } = {
  postgres: {
    program: 'postgres',
    init: 'initdb',
    user: 'postgres',
    initArgs: (folder) => ['-D', `${folder}/data`, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'],
    args: (folder, port) => ['-D', `${folder}/data`, '-p', `${port}`, '-k', folder, '-h', '127.0.0.1', '-c', 'fsync=off'],
    url: (port) => `postgres://postgres@127.0.0.1:${port}/postgres`,
    probe: async (url) => {
      const client = new Client({ connectionString: url })
      client.on('error', () => {})
      try {
        await client.connect()
        await client.query('select 1')
      } finally {
        await client.end().catch(() => {})
      }
    },
  },
  mariadb: {
    program: 'mariadbd',
    init: 'mariadb-install-db',
    user: 'mysql',
    initArgs: (folder) => ['--no-defaults', `--datadir=${folder}/data`, '--auth-root-authentication-method=normal'],
    args: (folder, port) => [
      '--no-defaults',
      `--datadir=${folder}/data`,
      `--port=${port}`,
      `--socket=${folder}/mysql.sock`,
      `--pid-file=${folder}/mysql.pid`,
      '--bind-address=127.0.0.1',
      '--innodb-flush-log-at-trx-commit=0',
    ],
    url: (port) => `mysql://root@127.0.0.1:${port}/test`,
    probe: async (url) => {
      const connection = await createConnection({ uri: url })
      connection.destroy()
    },
  },
}

/** Where Debian keeps programs that are not on the path. */
const PLACES = ['/usr/local/bin', '/usr/sbin', '/usr/bin', ...[18, 17, 16, 15, 14].map((version) => `/usr/lib/postgresql/${version}/bin`)]

/** The path of a server's program. */
export const findProgram = (program: string): string | undefined => {
  const places = [...(process.env.PATH ?? '').split(':'), ...PLACES]
  return places.map((place) => join(place, program)).find((path) => existsSync(path))
}

/** Why a separate server cannot be started here, or `undefined`. With `LATCHKEY_REQUIRE_SERVICES=1`, this is an error. */
export const sqlServerMissing = (name: keyof typeof KINDS): string | undefined => {
  const { program, init } = KINDS[name]
  const missing = [program, init].filter((each) => findProgram(each) === undefined)
  if (missing.length === 0) return undefined
  const skip = `there is no ${missing.join(' and no ')} to start a server for this test`
  if (process.env.LATCHKEY_REQUIRE_SERVICES === '1') throw new Error(`LATCHKEY_REQUIRE_SERVICES=1, but ${skip}`)
  console.warn(`skipped: ${skip}`)
  return skip
}

/** A test's own server with its own settings. */
export type SqlServer = { readonly url: string; readonly port: number; readonly folder: string; dispose(): Promise<void> }

/** The IDs of the user to start a server as, if this process may choose. */
export const idOf = async (user: string): Promise<{ readonly uid: number; readonly gid: number } | undefined> => {
  if (process.getuid?.() !== 0) return undefined
  const line = (await readFile('/etc/passwd', 'utf8')).split('\n').find((each) => each.startsWith(`${user}:`))
  const [, , uid, gid] = line?.split(':') ?? []
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) }
}

/** Creates and starts a server. `prepare` may add files to its folder and return more arguments. */
export const createSqlServer = async (
  name: keyof typeof KINDS,
  prepare: (folder: string, own: (path: string) => Promise<void>) => Promise<readonly string[]> = async () => [],
): Promise<SqlServer> => {
  const kind = KINDS[name]
  const id = await idOf(kind.user)
  const folder = await mkdtemp(join(tmpdir(), `latchkey-${name}-`))
  const own = async (path: string): Promise<void> => {
    if (id !== undefined) await chown(path, id.uid, id.gid)
  }
  await own(folder)
  await chmod(folder, 0o755)
  const made = spawnSync(findProgram(kind.init) ?? kind.init, kind.initArgs(folder), { cwd: folder, ...id, encoding: 'utf8' })
  if (made.status !== 0) throw new Error(`${kind.init} failed: ${made.stderr}${made.stdout}`.slice(0, 2_000))
  const more = await prepare(folder, own)
  const port = await freePort()
  const child: ChildProcess = spawn(findProgram(kind.program) ?? kind.program, [...kind.args(folder, port), ...more], {
    cwd: folder,
    stdio: 'ignore',
    ...id,
  })
  const url = kind.url(port)
  const dispose = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    }
    await rm(folder, { recursive: true, force: true })
  }
  for (;;) {
    if (child.exitCode !== null) {
      await dispose()
      throw new Error(`${kind.program} ended with ${child.exitCode}`)
    }
    const answers = await kind.probe(url).then(
      () => true,
      () => false,
    )
    if (answers) return { url, port, folder, dispose }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
