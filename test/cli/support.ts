import { execFile, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Latchkey, latchkey } from 'latchkey'
import { sqliteStore } from 'latchkey/stores/sqlite'
import { bundle } from '../support/bundle.js'

export type Ended = { readonly code: number | null; readonly stdout: string; readonly stderr: string }

export const SCOPES = { 'inventory:read': 'See stock', 'inventory:write': 'Change stock' }

/** The command line as a process, in its own folder with a configuration and a SQLite file. */
export type Shell = {
  readonly folder: string
  readonly program: string
  /** Runs a command without a terminal. */
  run(...args: readonly string[]): Promise<Ended>
  /** Runs a command on a terminal and types `keys` when it asks a question. */
  onTerminal(keys: string, ...args: readonly string[]): Promise<Ended>
  /** Writes a file into the folder. In its text, `$name` stands for modules of the library, such as `$index`. */
  write(name: string, text: string): string
  remove(name: string): void
  /** An instance over the same tokens in this process. */
  readonly tokens: Latchkey
  close(): Promise<void>
}

const CONFIG = `import { latchkey } from '$index'
import { sqliteStore } from '$sqlite'

export const tokens = latchkey({
  prefix: 'acme_live',
  store: sqliteStore('$folder/tokens.db'),
  scopes: ${JSON.stringify(SCOPES)},
})
`

const STORES = ['memory', 'mysql', 'postgres', 'redis', 'sqlite']
const MODULE = new RegExp(`\\$(index|import|${STORES.join('|')})\\b`, 'g')

let built: Promise<string> | undefined

/** Builds the command line once per test process. */
function build(): Promise<string> {
  const beside = {
    index: new URL('../../src/index.ts', import.meta.url),
    import: new URL('../../src/extensions/import/index.ts', import.meta.url),
    ...Object.fromEntries(STORES.map((name) => [name, new URL(`../../adapters/stores/${name}.ts`, import.meta.url)])),
  }
  built ??= bundle(new URL('../../src/cli/main.ts', import.meta.url), undefined, beside, 'bundle')
  return built
}

export async function openShell(): Promise<Shell> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-cli-'))
  const program = await build()
  const tokens = latchkey({ prefix: 'acme_live', store: sqliteStore(join(folder, 'tokens.db')), scopes: SCOPES }) as unknown as Latchkey
  // Creates the file in advance, because a command that creates it says so.
  await tokens.system.list()
  const shell: Shell = {
    folder,
    program,
    tokens,
    run: (...args) => execute(process.execPath, [program, ...args], folder),
    onTerminal: (keys, ...args) => execute('python3', ['-c', TERMINAL, keys, process.execPath, program, ...args], folder),
    write: (name, text) => {
      const file = join(folder, name)
      const module = (name: string): string => pathToFileURL(join(dirname(program), `${name}.mjs`)).href
      mkdirSync(dirname(file), { recursive: true })
      writeFileSync(file, text.replaceAll(MODULE, (_, name) => module(name)).replaceAll('$folder', folder))
      return file
    },
    remove: (name) => rmSync(join(folder, name)),
    close: async () => {
      await tokens.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
  shell.write('latchkey.config.mjs', CONFIG)
  return shell
}

export function execute(file: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv = process.env): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(file, [...args], { cwd, env }, (_error, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr }))
    child.stdin?.end()
  })
}

/** Starts the command line with output that this process reads as it arrives. */
export function start(shell: Shell, args: readonly string[]): ReturnType<typeof spawn> {
  return spawn(process.execPath, [shell.program, ...args], { cwd: shell.folder, stdio: ['ignore', 'pipe', 'pipe'] })
}

/** Gives a program a terminal of 100 columns, types an answer when a question is asked, and prints what the terminal showed. */
const TERMINAL = `
import fcntl, os, pty, struct, sys, termios
keys, command = sys.argv[1], sys.argv[2:]
child, terminal = pty.fork()
if child == 0:
    os.execv(command[0], command)
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', 30, 100, 0, 0))
seen, typed = b'', False
while True:
    try:
        piece = os.read(terminal, 4096)
    except OSError:
        break
    if not piece:
        break
    seen += piece
    if not typed and b'No' in seen:
        typed = True
        os.write(terminal, keys.encode())
sys.stdout.buffer.write(seen)
sys.stdout.flush()
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
`
