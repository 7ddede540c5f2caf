import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** What a program needs that has its packages within: `require` for those that are CommonJS, and the drivers, which have native parts. */
const WHOLE = {
  external: ['libsql', 'better-sqlite3', 'pg', 'mysql2', 'ioredis', 'jiti'],
  banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)" },
}

const made: string[] = []
const removeAll = (): void => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true })
}

/**
 * Bundles a program of the tests with the library's sources into plain JavaScript, and answers its path.
 *
 * What is named as `beside` lies beside it as modules that share its code.
 *
 * With `packages` as `'bundle'`, the packages that it uses are within too, which halves what its start costs; for programs that tests start by the dozen.
 *
 * Processes start faster so, and run what users run: a loader that rewrites sources as it goes would show in measurements.
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
  // Files of tests share a process, and programs of different tests a name.
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

/** As `bundle`, once in each process of tests. */
export function bundled(program: URL): Promise<string> {
  const known = programs.get(program.href) ?? bundle(program)
  programs.set(program.href, known)
  return known
}
