import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readQuickStart, routeOf, toCommonJs } from './readme.js'
import { must, run, serve } from './shell.js'

// Packs the package as it would be published, installs the tarball in empty projects, and lives there as its users do.
const root = fileURLToPath(new URL('../..', import.meta.url))
const fixtures = fileURLToPath(new URL('fixtures/', import.meta.url))
const work = await mkdtemp(join(tmpdir(), 'latchkey-consumer-'))
const quickStart = readQuickStart(await readFile(join(root, 'README.md'), 'utf8'))
const route = routeOf(quickStart.program)

const pack = async (): Promise<string> => {
  const [packed] = JSON.parse(
    (await must('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', work], root)).replace(/^[^[]*/, ''),
  )
  const files: readonly string[] = packed.files.map((file: { readonly path: string }) => file.path)
  const strangers = files.filter((path) => !/^(dist\/|README\.md$|LICENSE$|CHANGELOG\.md$|SECURITY\.md$|package\.json$)/.test(path))
  if (strangers.length > 0) throw new Error(`the package holds more than it should: ${strangers.join(', ')}`)
  return join(work, packed.filename)
}

const project = async (name: string, packages: readonly string[]): Promise<string> => {
  const folder = join(work, name)
  await mkdir(folder)
  await writeFile(join(folder, 'package.json'), JSON.stringify({ name, private: true, type: 'module' }))
  await must('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', ...packages], folder)
  await cp(fixtures, folder, { recursive: true })
  return folder
}

const answer = async (port: number, token?: string): Promise<number> => {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const response = await fetch(`http://127.0.0.1:${port}${route}`, { headers })
  await response.arrayBuffer()
  return response.status
}

const livesThrough = async (file: string, text: string, folder: string): Promise<void> => {
  for (const path of await readdir(folder)) if (path.includes('.db')) await rm(join(folder, path))
  await writeFile(join(folder, file), text)
  const server = await serve(file, folder)
  try {
    const changed = `${server.token.slice(0, -1)}${server.token.endsWith('0') ? '1' : '0'}`
    const got = [await answer(server.port), await answer(server.port, server.token), await answer(server.port, changed)]
    if (got.join() !== '401,200,401') throw new Error(`no token, the token, a changed token: ${got.join()}, not 401,200,401`)
  } finally {
    await server.stop()
  }
}

const RESOLUTIONS = {
  nodenext: { module: 'nodenext', moduleResolution: 'nodenext' },
  bundler: { module: 'esnext', moduleResolution: 'bundler' },
} as const

/** The errors of a compilation, one a line. Other packages' declarations are checked too, but only ours and our users' count. */
const compile = async (folder: string, resolution: keyof typeof RESOLUTIONS, files: readonly string[]): Promise<readonly string[]> => {
  const compilerOptions = {
    ...RESOLUTIONS[resolution],
    ...{ target: 'es2022', lib: ['es2023', 'dom'], types: ['node'], strict: true, noEmit: true, skipLibCheck: false },
  }
  const config = `tsconfig.${resolution}.json`
  await writeFile(join(folder, config), JSON.stringify({ compilerOptions, files }))
  const { code, output } = await run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', config], folder)
  const errors = output.split('\n').filter((line) => /error TS\d+/.test(line))
  if (code !== 0 && errors.length === 0) throw new Error(output)
  return errors.filter((line) => !line.startsWith('node_modules/') || line.startsWith('node_modules/latchkey/'))
}

const compiles = async (...compilation: Parameters<typeof compile>): Promise<void> => {
  const errors = await compile(...compilation)
  if (errors.length > 0) throw new Error(errors.join('\n'))
}

let passed = 0
let failed = 0
const check = async (name: string, act: () => Promise<void>): Promise<void> => {
  try {
    await act()
    passed += 1
    console.log(`ok    ${name}`)
  } catch (error) {
    failed += 1
    console.log(`FAIL  ${name}\n${error instanceof Error ? error.message : String(error)}`)
  }
}

try {
  const tarball = await pack()
  const asked = quickStart.packages.map((name) => (name === 'latchkey' ? tarball : name))
  const app = await project('app', asked)
  await check('the README quick start as an ES module', () => livesThrough('quick-start.mjs', quickStart.program, app))
  await check('the README quick start with require()', () => livesThrough('quick-start.cjs', toCommonJs(quickStart.program), app))
  await check('one copy of the classes behind every entry', async () => void (await must(process.execPath, ['one-copy.mjs'], app)))

  await must(
    'npm',
    ['install', '--prefer-offline', '--no-audit', '--no-fund', '-D', 'typescript@~6.0', '@types/node@20', '@types/express@5'],
    app,
  )
  await writeFile(join(app, 'quick-start.ts'), quickStart.program)
  for (const resolution of ['nodenext', 'bundler'] as const) {
    await check(`the README quick start in TypeScript, ${resolution}`, () => compiles(app, resolution, ['quick-start.ts']))
    await check(`a registered instance types the scopes of requireScopes, ${resolution}`, async () => {
      await compiles(app, resolution, ['registered.ts'])
      const errors = await compile(app, resolution, ['wrong-scope.ts'])
      if (errors.length !== 1 || !errors[0]?.startsWith('wrong-scope.ts(4,15): error TS2345')) {
        throw new Error(`the wrong scope should be the one error, got: ${errors.join('\n') || 'none'}`)
      }
    })
  }

  const everything = await project('everything', [
    ...[tarball, 'express', 'koa', 'fastify', 'hono', 'kysely@0.28', 'pg', 'mysql2', 'ioredis', 'redis', 'libsql'],
    ...['typescript@~6.0', '@types/node@20', '@types/express@5', '@types/koa', '@types/pg'],
  ])
  for (const resolution of ['nodenext', 'bundler'] as const) {
    await check(`the types of every entry, ${resolution}`, () => compiles(everything, resolution, ['every-entry.ts']))
  }

  const bare = await project('bare', [tarball])
  await check('a missing peer is named with what to install', async () => void (await must(process.execPath, ['missing-peers.mjs'], bare)))
} finally {
  await rm(work, { recursive: true, force: true })
}
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
