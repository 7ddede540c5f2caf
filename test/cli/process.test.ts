import { once } from 'node:events'
import { mkdirSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { execute, openShell, SCOPES, type Shell, start } from './support.js'

let shell: Shell
beforeAll(async () => {
  shell = await openShell()
})
afterAll(() => shell.close())

const make = async (name: string) => (await shell.tokens.system.create({ name, scopes: ['inventory:read'] })).record.id

describe('on a terminal', () => {
  it.each([
    ['y', 0, 'revoked'],
    ['n', 1, 'active'],
    ['\r', 1, 'active'],
    ['\u0003', 1, 'active'],
  ])('answering %j to the confirmation of revoke exits with code %i', async (keys, code, status) => {
    const id = await make(`asked ${JSON.stringify(keys)}`)
    const ended = await shell.onTerminal(keys, 'revoke', id)
    expect(ended.stdout).toContain('Revoke "asked')
    expect([ended.code, (await shell.tokens.system.get(id))?.status], ended.stdout).toEqual([code, status])
  })

  it('revoke --yes asks for no confirmation', async () => {
    const { code, stdout } = await shell.onTerminal('', 'revoke', await make('sure'), '--yes')
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^Revoked "sure"/)])
  })
})

describe('a pipe whose reader is gone', () => {
  const ended = async (args: readonly string[]) => {
    const child = start(shell, args)
    child.stdout?.destroy()
    let stderr = ''
    child.stderr?.on('data', (piece) => {
      stderr += piece
    })
    const [code] = await once(child, 'close')
    return { code, stderr }
  }

  it('a reading command exits with 0 when its output is closed', async () => {
    expect(await ended(['list'])).toEqual({ code: 0, stderr: '' })
  })

  it.each([[[]], [['--json']]])('create exits with 1 when its output is closed before the token is shown, with %j', async (more) => {
    const { code, stderr } = await ended(['create', '--name', 'lost', '--scope', 'inventory:read', ...more])
    expect(code).toBe(1)
    expect(stderr).toMatch(/token [0-9A-Za-z]{16} was created, but standard output was closed before the token could be shown: revoke it/)
  })
})

describe('an output that is discarded', () => {
  const into = (where: string, ...args: readonly string[]) =>
    execute('sh', ['-c', `"$@" ${where}`, 'sh', process.execPath, shell.program, ...args], shell.folder)

  it.each(['>&-', '>/dev/null'])('create and rotate change nothing and exit with 1 if their output is discarded with %s', async (where) => {
    const id = await make('kept')
    const before = await shell.tokens.system.list()
    for (const args of [
      ['create', '--name', 'lost', '--scope', 'inventory:read'],
      ['create', '--name', 'lost', '--scope', 'inventory:read', '--json'],
      ['rotate', id, '--yes'],
    ]) {
      const { code, stderr } = await into(where, ...args)
      expect([code, stderr]).toEqual([
        1,
        'latchkey: standard output is closed or discarded, so the token could not be shown; nothing was changed\n',
      ])
    }
    expect(await shell.tokens.system.list()).toEqual(before)
  })

  it('a command that shows no token runs with a closed output', async () => {
    const id = await make('ended')
    expect((await into('>&-', 'revoke', id, '--yes')).code).toBe(0)
    expect((await shell.tokens.system.get(id))?.status).toBe('revoked')
  })
})

describe('the process', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('the process exits on %s with %i and no stack trace', async (signal, code) => {
    const file = shell.write('slow.config.mjs', "console.error('loading')\nawait new Promise((resolve) => setTimeout(resolve, 60_000))\n")
    const child = start(shell, ['list', '--config', file])
    let stderr = ''
    child.stderr?.on('data', (piece) => {
      stderr += piece
      child.kill(signal)
    })
    expect((await once(child, 'close'))[0]).toBe(code)
    expect(stderr).toBe('loading\n')
  })

  it('the process exits even if the configuration keeps something open', async () => {
    const file = shell.write(
      'busy.config.mjs',
      `setInterval(() => undefined, 1000)
export { tokens as default } from './latchkey.config.mjs'`,
    )
    expect((await shell.run('list', '--config', file)).code).toBe(0)
  })
})

describe('a signal while a token is being created', () => {
  /** A configuration whose database answers a commit late, or never. It writes `committed` to standard error as soon as the change is made. */
  const slowCommits = (ms: number): string =>
    shell.write(
      `commits-${ms}.config.mjs`,
      `import { latchkey } from '$index'
import { sqliteStore } from '$sqlite'
const inner = sqliteStore('$folder/tokens.db')
const store = new Proxy(inner, {
  get(target, key) {
    const value = Reflect.get(target, key, target)
    if (typeof value !== 'function') return value
    if (key !== 'commit') return value.bind(target)
    return async (...args) => {
      const result = await value.apply(target, args)
      console.error('committed')
      await new Promise((resolve) => setTimeout(resolve, ${ms}))
      return result
    }
  },
})
export const tokens = latchkey({ prefix: 'acme_live', store, deadline: '20s', scopes: ${JSON.stringify(SCOPES)} })`,
    )

  /** Runs a command and sends it signals after the commit, with these delays in milliseconds between them. */
  const interrupted = async (args: readonly string[], signals: readonly (readonly [signal: NodeJS.Signals, afterMs: number])[]) => {
    const child = start(shell, args)
    let [stdout, stderr, began] = ['', '', false]
    child.stdout?.on('data', (piece) => {
      stdout += piece
    })
    child.stderr?.on('data', async (piece) => {
      stderr += piece
      if (began || !stderr.includes('committed')) return
      began = true
      for (const [signal, afterMs] of signals) {
        await new Promise((resolve) => setTimeout(resolve, afterMs))
        child.kill(signal)
      }
    })
    const [code] = await once(child, 'close')
    return { code, stdout, stderr }
  }

  const create = (name: string, ms: number): string[] => [
    'create',
    '--name',
    name,
    '--scope',
    'inventory:read',
    '--config',
    slowCommits(ms),
  ]

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'create still shows the token after %s, even if npx forwards the signal again',
    async (signal) => {
      const { code, stdout, stderr } = await interrupted(create(`by ${signal}`, 1500), [
        [signal, 0],
        [signal, 10],
      ])
      expect(code, stderr).toBe(0)
      expect(await shell.tokens.verify(stdout.trim())).toMatchObject({ ok: true, principal: { name: `by ${signal}` } })
      expect(stderr).toContain('latchkey: waiting to learn whether the token was created; send the signal again to stop now')
    },
  )

  it('rotate still shows the successor after a signal', async () => {
    const id = await make('rotated under a signal')
    const { code, stdout, stderr } = await interrupted(['rotate', id, '--yes', '--config', slowCommits(1500)], [['SIGINT', 0]])
    expect(code, stderr).toBe(0)
    expect((await shell.tokens.verify(stdout.trim())).ok).toBe(true)
  })

  it('a second signal ends create immediately with a message that says how to find the token', async () => {
    const { code, stdout, stderr } = await interrupted(create('twice', 60_000), [
      ['SIGINT', 0],
      ['SIGTERM', 800],
    ])
    expect([code, stdout]).toEqual([143, ''])
    expect(stderr).toMatch(/latchkey: a token may have been created: if so, it is the first one in `latchkey list`; revoke it\n$/)
    expect((await shell.tokens.system.list({ name: 'twice' })).items).toHaveLength(1)
  })

  it('a second signal ends rotate immediately with a message that says how to find the successor', async () => {
    const id = await make('rotated twice')
    const { code, stderr } = await interrupted(
      ['rotate', id, '--yes', '--config', slowCommits(60_000)],
      [
        ['SIGTERM', 0],
        ['SIGINT', 800],
      ],
    )
    expect(code).toBe(130)
    expect(stderr).toContain(
      `latchkey: token ${id} may have been rotated: if so, \`latchkey show ${id}\` names its successor; revoke that\n`,
    )
  })
})

describe('the configuration', () => {
  it('the configuration is found in a parent folder', async () => {
    const below = join(shell.folder, 'a/b')
    mkdirSync(below, { recursive: true })
    expect((await execute(process.execPath, [shell.program, 'list'], below)).code).toBe(0)
  })

  it.each([
    ['throws', "throw new Error('no DATABASE_URL')", 'failed: no DATABASE_URL'],
    ['has invalid options', "import { latchkey } from '$index'\nexport const tokens = latchkey({})", 'failed: '],
    ['exports no instance', 'export const tokens = {}', 'must export the result of latchkey(options)'],
  ])('a configuration that %s is reported in one sentence', async (_case, text, told) => {
    const { code, stderr } = await shell.run('list', '--config', shell.write('bad.config.mjs', text))
    expect(code).toBe(1)
    expect(stderr).toMatch(/^latchkey: [^\n]+\n$/)
    expect(stderr).toContain(told)
  })

  it('a command in a subfolder opens the same SQLite file as one in the folder of the configuration', async () => {
    const own = await openShell()
    try {
      own.write(
        'latchkey.config.mjs',
        `import { latchkey } from '$index'
import { sqliteStore } from '$sqlite'
export const tokens = latchkey({ prefix: 'acme_live', store: sqliteStore('tokens.db'), scopes: { 'inventory:read': 'See stock' } })`,
      )
      const below = dirname(own.write('sub/deep/map.mjs', 'export const map = () => undefined'))
      const { record } = JSON.parse((await own.run('create', '--name', 'ERP', '--scope', 'inventory:read', '--json')).stdout)
      const { stdout } = await execute(process.execPath, [own.program, 'show', record.id, '--json'], below)
      expect(JSON.parse(stdout).name).toBe('ERP')
      // The files on the command line are relative to the shell's folder.
      const imported = await execute(process.execPath, [own.program, 'import', '-', '--format', 'x', '--map', 'map.mjs'], below)
      expect(imported.stderr).toContain('format:')
      expect(readdirSync(below)).toEqual(['map.mjs'])
    } finally {
      await own.close()
    }
  })

  it('a missing configuration is reported with the command that creates one', async () => {
    const { code, stderr } = await execute(process.execPath, [shell.program, 'list'], '/')
    expect([code, stderr]).toEqual([1, expect.stringMatching(/no latchkey\.config\.ts.*run `npx latchkey init`/)])
  })

  const TYPESCRIPT = `import { tokens as inner } from './latchkey.config.mjs'
enum Kind { inner }
const all: Record<Kind, typeof inner> = { [Kind.inner]: inner }
export const tokens = all[Kind.inner]
`

  it('the configuration can use any TypeScript syntax if jiti is installed', async () => {
    const { code, stderr } = await shell.run('list', '--config', shell.write('typed.config.ts', TYPESCRIPT))
    expect([code, stderr]).toEqual([0, ''])
  })

  it('the error for a TypeScript configuration that cannot be read says what to install', async () => {
    const hook =
      'export async function resolve(name, at, next) { if (name !== "jiti") return next(name, at); throw Object.assign(new Error("no"), { code: "ERR_MODULE_NOT_FOUND" }) }'
    const file = shell.write(
      'hide-jiti.mjs',
      `import { register } from 'node:module'\nregister('data:text/javascript,' + encodeURIComponent(${JSON.stringify(hook)}))`,
    )
    const typed = shell.write('typed.config.ts', TYPESCRIPT)
    const { code, stderr } = await execute(process.execPath, ['--import', file, shell.program, 'list', '--config', typed], shell.folder)
    expect(code).toBe(1)
    // Newer versions of Node strip types and name the syntax they cannot strip.
    expect(stderr).toMatch(/npm install --save-dev jiti|enum/)
  })
})
