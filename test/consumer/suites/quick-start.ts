import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Bench, install, type Suite } from '../lib/bench.js'
import { compiles } from '../lib/compile.js'
import { NODES, nodeBinary, nodePackage } from '../lib/nodes.js'
import { type Language, readQuickStart, routeOf, toCommonJs } from '../lib/readme.js'
import { must, serve } from '../lib/shell.js'

const { setup, program, javascript, typescript } = readQuickStart(await readFile(new URL('../../../README.md', import.meta.url), 'utf8'))
const route = routeOf(program)
const gettingStarted = await readFile(new URL('../../../docs/getting-started.md', import.meta.url), 'utf8')

const answer = async (port: number, token?: string): Promise<number> => {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const response = await fetch(`http://127.0.0.1:${port}${route}`, { headers })
  await response.arrayBuffer()
  return response.status
}

/** Runs a server that prints a token, and calls its guarded route without a token, with the printed token, and with a changed token. */
const livesThrough = async (folder: string, command: string): Promise<void> => {
  for (const path of await readdir(folder)) if (path.includes('.db')) await rm(join(folder, path))
  const server = await serve(command, folder)
  try {
    const changed = `${server.token.slice(0, -1)}${server.token.endsWith('0') ? '1' : '0'}`
    const got = [await answer(server.port), await answer(server.port, server.token), await answer(server.port, changed)]
    if (got.join() !== '401,200,401') throw new Error(`no token, the token, a changed token: ${got.join()}, not 401,200,401`)
  } finally {
    await server.stop()
  }
}

/** Runs the commands with the packed tarball instead of the published package. */
const types = async (bench: Bench, folder: string, commands: readonly string[]): Promise<void> => {
  for (const command of commands) await must('bash', ['-c', command.replace(/ latchkey\b/, ` ${bench.tarball}`)], folder)
}

const runs = async (bench: Bench, folder: string, { file, install: commands, run }: Language): Promise<void> => {
  await types(bench, folder, commands)
  await writeFile(join(folder, file), program)
  await livesThrough(folder, run)
}

/** The first block in this language of a section of the page. */
const blockOf = (section: number, language: 'sh' | 'ts'): string => {
  const from = gettingStarted.slice(gettingStarted.indexOf(`## ${section}. `))
  const text = new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(from)?.[1]
  if (text === undefined) throw new Error(`docs/getting-started.md has no ${language} block in section ${section}`)
  return text
}

/** Follows the getting-started page word for word in an empty folder. */
const getsStarted = async (bench: Bench): Promise<void> => {
  const folder = await bench.project({ name: 'getting-started', packages: [], fixtures: ['common'] })
  await rm(join(folder, 'package.json'))
  await types(bench, folder, blockOf(1, 'sh').trim().split('\n'))
  await writeFile(join(folder, 'tokens.ts'), blockOf(2, 'ts'))
  await writeFile(join(folder, 'server.ts'), blockOf(3, 'ts') + blockOf(4, 'ts'))
  await livesThrough(folder, blockOf(4, 'sh').trim())
  // Running the rest would revoke the token. The rest compiles with the packages that the page installs.
  const [, ...program] = [...gettingStarted.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, text = '']) => text)
  await writeFile(join(folder, 'whole.ts'), program.join('\n'))
  await compiles(folder, 'nodenext', ['whole.ts'])
}

/** Follows the README's quick start word for word in an empty folder. */
export const quickStart: Suite = {
  name: 'quick-start',
  sample: true,
  async run(bench: Bench) {
    const folder = await bench.project({ name: 'quick-start', packages: [], fixtures: ['common'] })
    await rm(join(folder, 'package.json'))
    await bench.check('the README quick start runs as written, in JavaScript', async () => {
      await types(bench, folder, setup)
      await runs(bench, folder, javascript)
    })
    await bench.check('the README quick start runs as written, in TypeScript', () => runs(bench, folder, typescript))
    await bench.check('the README quick start runs with require()', async () => {
      await writeFile(join(folder, 'server.cjs'), toCommonJs(program))
      await livesThrough(folder, 'node server.cjs')
    })
    for (const resolution of ['nodenext', 'bundler'] as const) {
      if (!bench.all && resolution !== 'nodenext') continue
      await bench.check(`the README quick start compiles, ${resolution}`, () => compiles(folder, resolution, [typescript.file]))
    }
    await bench.check('the getting-started page runs as written', () => getsStarted(bench))
    if (!bench.all) return
    const nodes = join(folder, 'nodes')
    await mkdir(nodes)
    await writeFile(join(nodes, 'package.json'), '{"private":true}')
    await install(nodes, NODES.map(nodePackage))
    for (const major of NODES) {
      await bench.check(`the README quick start runs on Node ${major}`, () =>
        livesThrough(folder, javascript.run.replace(/^node /, `./nodes/${nodeBinary(major)} `)),
      )
    }
  },
}
