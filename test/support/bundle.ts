import { rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Bundles a program of the tests with the library's sources into plain JavaScript, and answers its path.
 *
 * What is named as `beside` lies beside it as modules that share its code.
 *
 * Processes start faster so, and run what users run: a loader that rewrites sources as it goes would show in measurements.
 */
export async function bundle(
  program: URL,
  folder: string = join(ROOT, 'node_modules/.cache/latchkey'),
  beside: { readonly [name: string]: URL } = {},
): Promise<string> {
  const entry = fileURLToPath(program)
  const name = basename(entry, '.ts')
  const outdir = join(folder, `${name}-${process.pid}`)
  process.once('exit', () => rmSync(outdir, { recursive: true, force: true }))
  await build({
    entryPoints: { [name]: entry, ...Object.fromEntries(Object.entries(beside).map(([name, url]) => [name, fileURLToPath(url)])) },
    outdir,
    absWorkingDir: ROOT,
    tsconfig: join(ROOT, 'tsconfig.json'),
    bundle: true,
    splitting: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    outExtension: { '.js': '.mjs' },
    logLevel: 'warning',
  })
  return join(outdir, `${name}.mjs`)
}

const programs = new Map<string, Promise<string>>()

/** As `bundle`, once in each file of tests. */
export function bundled(program: URL): Promise<string> {
  const made = programs.get(program.href) ?? bundle(program)
  programs.set(program.href, made)
  return made
}
