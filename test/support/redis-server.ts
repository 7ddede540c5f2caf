import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'

/** `valkey-server` works as well. */
const PROGRAM = process.env.LATCHKEY_TEST_REDIS_SERVER || 'redis-server'

/** Why a separate server cannot be started here, or `undefined`. With `LATCHKEY_REQUIRE_SERVICES=1`, this is an error. */
export function redisServerMissing(): string | undefined {
  if (spawnSync(PROGRAM, ['--version']).status === 0) return undefined
  const skip = `there is no ${PROGRAM} on the path to start one for this test`
  if (process.env.LATCHKEY_REQUIRE_SERVICES === '1') throw new Error(`LATCHKEY_REQUIRE_SERVICES=1, but ${skip}`)
  console.warn(`skipped: ${skip}`)
  return skip
}

export async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** A test's own Redis server, which syncs every change to disk. */
export type RedisServer = {
  readonly port: number
  readonly url: string
  /** Starts the server, including after a `kill`, on the same port and data. Resolves once it responds. */
  start(): Promise<void>
  /** Kills the server in the middle of its work. */
  kill(): Promise<void>
  /** Freezes the server with all its connections, or lets it continue. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void
  /** How many clients are connected, not counting those of `ask`. */
  clients(): Promise<number>
  /** Sends a command on a separate connection. */
  ask(command: string, ...args: string[]): Promise<unknown>
  dispose(): Promise<void>
}

const ASKING = 'latchkey-test-asking'

export async function createRedisServer(args: readonly string[] = [], password?: string): Promise<RedisServer> {
  const port = await freePort()
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-redis-'))
  let child: ChildProcess | undefined

  const connect = (): Redis =>
    new Redis({
      port,
      host: '127.0.0.1',
      lazyConnect: true,
      connectionName: ASKING,
      retryStrategy: () => null,
      ...(password === undefined ? {} : { password }),
    })

  async function ask(command: string, ...parts: string[]): Promise<unknown> {
    const client = connect()
    client.on('error', () => {})
    try {
      await client.connect()
      return await client.call(command, ...parts)
    } finally {
      client.disconnect()
    }
  }

  async function start(): Promise<void> {
    const durable = ['--save', '', '--appendonly', 'yes', '--appendfsync', 'always', '--maxmemory-policy', 'noeviction']
    const secret = password === undefined ? [] : ['--requirepass', password]
    const started = spawn(PROGRAM, ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder, ...durable, ...secret, ...args], {
      stdio: 'ignore',
    })
    child = started
    for (;;) {
      if (started.exitCode !== null) throw new Error(`${PROGRAM} ended with ${started.exitCode}`)
      if ((await ask('PING').catch(() => undefined)) === 'PONG') return
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }

  async function kill(): Promise<void> {
    const ending = child
    child = undefined
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return
    const exited = once(ending, 'exit')
    ending.kill('SIGKILL')
    await exited
  }

  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    start,
    kill,
    async clients() {
      const lines = String(await ask('CLIENT', 'LIST')).split('\n')
      return lines.filter((line) => line !== '' && !line.includes(`name=${ASKING}`)).length
    },
    signal: (name) => void child?.kill(name),
    ask,
    async dispose() {
      await kill()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
