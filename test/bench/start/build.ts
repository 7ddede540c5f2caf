import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliCompressSync } from 'node:zlib'
import { build, type Metafile } from 'esbuild'
import { fewFiles, replaceFiles } from '../../tools/few-files.js'

const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

/** A build as it is published, but without declarations: split, with packages left external. */
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
  instance: 'src/instance.ts',
  sqlite: 'adapters/stores/sqlite.ts',
  postgres: 'adapters/stores/postgres.ts',
  mysql: 'adapters/stores/mysql.ts',
  redis: 'adapters/stores/redis.ts',
} as const

/** Builds the sources of a folder into another folder. */
export async function buildStart(folder: string, sources: string = ROOT): Promise<Built> {
  const { metafile } = await build({
    entryPoints: entriesIn(sources),
    outdir: folder,
    absWorkingDir: sources,
    bundle: true,
    splitting: true,
    external: packagesOf(sources),
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

/** Packages that users install alongside latchkey, always or optionally. All others are bundled. */
function packagesOf(sources: string): string[] {
  const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(sources, 'package.json'), 'utf8'))
  return Object.keys({ ...dependencies, ...peerDependencies }).flatMap((name) => [name, `${name}/*`])
}

// Earlier commits had the frameworks one folder higher.
function entriesIn(sources: string): { readonly [entry: string]: string } {
  const there = Object.entries(ENTRIES).flatMap(([entry, path]) => {
    const found = [path, path.replace('/frameworks/', '/')].find((candidate) => existsSync(join(sources, candidate)))
    return found === undefined ? [] : [[entry, found]]
  })
  return Object.fromEntries(there)
}

/** Builds the sources of a folder as they are published: in few files if their own build script joins files. */
export async function buildPublished(folder: string, sources: string = ROOT): Promise<Built> {
  const built = await buildStart(folder, sources)
  if (!existsSync(join(sources, 'test/tools/few-files.ts'))) return built
  const names = Object.keys(entriesIn(sources))
  await replaceFiles(folder, 'mjs', await fewFiles(new Map(names.map((name) => [name, join(folder, `${name}.mjs`)])), 'mjs'))
  return built
}

/** Builds the sources of a commit as they were published. */
export async function buildCommit(folder: string, commit: string): Promise<Built> {
  const sources = join(folder, 'sources')
  mkdirSync(sources, { recursive: true })
  const archive = execFileSync('git', ['archive', commit, 'src', 'adapters', 'test/tools', 'tsconfig.json', 'package.json'], {
    cwd: ROOT,
    maxBuffer: 1 << 28,
  })
  execFileSync('tar', ['-x', '-C', sources], { input: archive })
  return buildPublished(join(folder, 'built'), sources)
}

/** The code that `import "latchkey"` loads: bytes of minified code by folder or package, and in total with and without compression. */
export async function sizeOfCore(): Promise<{
  readonly parts: ReadonlyMap<string, number>
  readonly bytes: number
  readonly compressed: number
}> {
  const { metafile, outputFiles } = await build({
    entryPoints: ['src/index.ts'],
    outdir: 'size',
    absWorkingDir: ROOT,
    bundle: true,
    splitting: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    metafile: true,
    logLevel: 'warning',
  })
  const names = new Set(['size/index.js'])
  for (const name of names) {
    for (const { path, kind } of metafile.outputs[name]?.imports ?? [])
      if (kind === 'import-statement' && path in metafile.outputs) names.add(path)
  }
  const parts = new Map<string, number>()
  for (const [path, { bytesInOutput }] of [...names].flatMap((name) => Object.entries(metafile.outputs[name]?.inputs ?? {}))) {
    const [part = path] = /^(?:node_modules\/(?:@[^/]+\/)?[^/]+|src\/[^/]+)/.exec(path) ?? []
    parts.set(part, (parts.get(part) ?? 0) + bytesInOutput)
  }
  const code = Buffer.concat(outputFiles.filter(({ path }) => names.has(relative(ROOT, path))).map(({ contents }) => contents))
  return { parts, bytes: code.length, compressed: brotliCompressSync(code).length }
}

/** The packages and library sources that an import of these entries loads immediately. */
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
  const inputs = [...seen].flatMap((name) => Object.entries(outputs[name]?.inputs ?? {}))
  const written = inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([path]) => path)
  return {
    packages: [...packages].filter((name) => !name.startsWith('node:')).sort(),
    sources: written.filter((path) => !path.includes('node_modules/')),
  }
}
