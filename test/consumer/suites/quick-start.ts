import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Bench, install, type Suite } from '../lib/bench.js'
import { compiles } from '../lib/compile.js'
import { readQuickStart, routeOf, toCommonJs } from '../lib/readme.js'
import { serve } from '../lib/shell.js'

const { packages, program } = readQuickStart(await readFile(new URL('../../../README.md', import.meta.url), 'utf8'))
const route = routeOf(program)

const answer = async (port: number, token?: string): Promise<number> => {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const response = await fetch(`http://127.0.0.1:${port}${route}`, { headers })
  await response.arrayBuffer()
  return response.status
}

/** Runs a server that prints a token, and calls its guarded route without, with, and with a changed token. */
export async function livesThrough(file: string, text: string, folder: string, node?: readonly string[]): Promise<void> {
  for (const path of await readdir(folder)) if (path.includes('.db')) await rm(join(folder, path))
  await writeFile(join(folder, file), text)
  const server = await serve(file, folder, node)
  try {
    const changed = `${server.token.slice(0, -1)}${server.token.endsWith('0') ? '1' : '0'}`
    const got = [await answer(server.port), await answer(server.port, server.token), await answer(server.port, changed)]
    if (got.join() !== '401,200,401') throw new Error(`no token, the token, a changed token: ${got.join()}, not 401,200,401`)
  } finally {
    await server.stop()
  }
}

/** What the README's first page says, as its readers type it. */
export const quickStart: Suite = {
  name: 'quick-start',
  sample: true,
  async run(bench: Bench) {
    const app = await bench.project({ name: 'app', packages, fixtures: ['common'] })
    await bench.check('the README quick start runs as an ES module', () => livesThrough('quick-start.mjs', program, app))
    await bench.check('the README quick start runs with require()', () => livesThrough('quick-start.cjs', toCommonJs(program), app))
    await install(app, ['-D', 'typescript@~6.0', '@types/node@20', '@types/express@5'])
    await writeFile(join(app, 'quick-start.ts'), program)
    for (const resolution of ['nodenext', 'bundler'] as const) {
      await bench.check(`the README quick start compiles, ${resolution}`, () => compiles(app, resolution, ['quick-start.ts']))
    }
  },
}
