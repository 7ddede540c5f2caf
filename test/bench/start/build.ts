import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Metafile } from 'esbuild'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

/** A build as it is published, apart from declarations: split, with packages left where they are. */
export type Built = { readonly folder: string; readonly outputs: Metafile['outputs'] }

/** The entries that a server loads before its first request. */
const ENTRIES = {
  index: 'src/index.ts',
  hono: 'adapters/frameworks/hono.ts',
  express: 'adapters/frameworks/express.ts',
  fastify: 'adapters/frameworks/fastify.ts',
  koa: 'adapters/frameworks/koa.ts',
  web: 'adapters/frameworks/web.ts',
  memory: 'adapters/stores/memory.ts',
  sqlite: 'adapters/stores/sqlite.ts',
  postgres: 'adapters/stores/postgres.ts',
  mysql: 'adapters/stores/mysql.ts',
  redis: 'adapters/stores/redis.ts',
} as const

/** Builds the sources of a folder into another. */
export async function buildStart(folder: string, sources: string = ROOT): Promise<Built> {
  const { metafile } = await build({
    entryPoints: entriesIn(sources),
    outdir: folder,
    absWorkingDir: sources,
    bundle: true,
    splitting: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    outExtension: { '.js': '.mjs' },
    metafile: true,
    logLevel: 'warning',
  })
  const outputs = Object.entries(metafile.outputs).map(([path, output]) => [path.slice(path.lastIndexOf('/') + 1), output] as const)
  return { folder, outputs: Object.fromEntries(outputs) }
}

// Frameworks stood one folder higher once.
function entriesIn(sources: string): { readonly [entry: string]: string } {
  const there = Object.entries(ENTRIES).flatMap(([entry, path]) => {
    const found = [path, path.replace('/frameworks/', '/')].find((candidate) => existsSync(join(sources, candidate)))
    return found === undefined ? [] : [[entry, found]]
  })
  return Object.fromEntries(there)
}

/** Builds the sources as they were at a commit. */
export async function buildCommit(folder: string, commit: string): Promise<Built> {
  const sources = join(folder, 'sources')
  mkdirSync(sources, { recursive: true })
  const archive = execFileSync('git', ['archive', commit, 'src', 'adapters', 'tsconfig.json'], { cwd: ROOT, maxBuffer: 1 << 28 })
  execFileSync('tar', ['-x', '-C', sources], { input: archive })
  return buildStart(join(folder, 'built'), sources)
}

/** What an import of these entries loads at once: the packages, and the sources of the library. */
export function loadedBy(
  { outputs }: Built,
  ...entries: readonly string[]
): { readonly packages: readonly string[]; readonly sources: readonly string[] } {
  const seen = new Set<string>()
  const packages = new Set<string>()
  const visit = (name: string): void => {
    if (seen.has(name)) return
    seen.add(name)
    for (const { path, kind, external } of outputs[name]?.imports ?? []) {
      if (kind === 'dynamic-import') continue
      if (external === true) packages.add(path)
      else visit(path.slice(path.lastIndexOf('/') + 1))
    }
  }
  for (const entry of entries) visit(`${entry}.mjs`)
  const sources = [...seen].flatMap((name) => Object.entries(outputs[name]?.inputs ?? {}))
  return {
    packages: [...packages].filter((name) => !name.startsWith('node:')).sort(),
    sources: sources.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([path]) => path),
  }
}
