import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** The build options for bundled packages: `require` for CommonJS packages, and the drivers, which have native parts. */
const WHOLE = {
  external: ['libsql', 'better-sqlite3', 'pg', 'mysql2', 'ioredis', 'jiti'],
  banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)" },
}

const made: string[] = []
const removeAll = (): void => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true })
}

/**
 * Bundles a test program with the library's sources into plain JavaScript, and returns its path.
 *
 * `beside` adds modules next to the program that share its code.
 *
 * With `packages: 'bundle'`, the packages are bundled too. This halves the startup cost of programs that tests start by the dozen.
 *
 * Bundled processes start faster and run the code that users run. A loader that rewrites sources on the fly would distort measurements.
 */
export async function bundle(
  program: URL,
  folder: string = join(ROOT, 'node_modules/.cache/latchkey'),
  beside: { readonly [name: string]: URL } = {},
  packages: 'external' | 'bundle' = 'external',
): Promise<string> {
  const entry = fileURLToPath(program)
  const name = basename(entry, '.ts')
  mkdirSync(folder, { recursive: true })
  // Test files share a process, and programs of different tests can share a name.
  const outdir = mkdtempSync(join(folder, `${name}-`))
  if (made.push(outdir) === 1) process.once('exit', removeAll)
  await build({
    entryPoints: { [name]: entry, ...Object.fromEntries(Object.entries(beside).map(([name, url]) => [name, fileURLToPath(url)])) },
    outdir,
    absWorkingDir: ROOT,
    tsconfig: join(ROOT, 'tsconfig.json'),
    bundle: true,
    splitting: true,
    ...(packages === 'external' ? { packages } : WHOLE),
    format: 'esm',
    platform: 'node',
    target: 'node20',
    outExtension: { '.js': '.mjs' },
    logLevel: 'warning',
  })
  return join(outdir, `${name}.mjs`)
}

const programs = new Map<string, Promise<string>>()

/** Bundles each program only once per test process. */
export function bundled(program: URL): Promise<string> {
  const known = programs.get(program.href) ?? bundle(program)
  programs.set(program.href, known)
  return known
}
